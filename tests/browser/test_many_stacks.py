"""A flamegraph of 100,000 stacks is a picture like any other, and every view of it says what the stacks say.

How long it takes, `make bench-flames` prints.
"""

from collections import Counter
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, expect
from tests.bench.flames import PROFILER, crowded, write_page
from tests.browser.conftest import Opened

pytestmark = pytest.mark.slow

STACKS = 100_000


@pytest.fixture(scope="module")
def stacks() -> str:
    return crowded(STACKS)


@pytest.fixture(scope="module")
def crowd(stacks: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_page(tmp_path_factory.mktemp("crowd"), stacks)


def spelt(ns: int) -> str:
    """As the page writes it."""
    return f"{ns / 1e9:.3g} s" if ns >= 1e9 else f"{ns / 1e6:.3g} ms"


def picture(page: Page) -> Locator:
    panel = page.get_by_role("article", name=PROFILER).get_by_role("tabpanel")
    panel.scroll_into_view_if_needed()
    expect(panel.locator(".frame[data-ready]").first).to_be_visible(timeout=60_000)
    return panel


def test_every_view_of_many_stacks_says_what_the_stacks_say(
    opened: Opened, crowd: Path, stacks: str, screenshots: Path
):
    after: Counter[str] = Counter()
    before: Counter[str] = Counter()
    within: Counter[str] = Counter()
    for line in stacks.splitlines():
        frames, one, other = line.rsplit(" ", 2)
        names = frames.split(";")
        before[names[-1]] += int(one)
        after[names[-1]] += int(other)
        for name in set(names):
            within[name] += int(other)
    page = opened.show(crowd).page
    panel = picture(page)
    panel.get_by_label("runtime and libraries").check()
    said = panel.locator("output").first
    own = [each for each in after if each.startswith("demofs::")]
    name = max(own, key=lambda each: min(after[each], before[each]))
    field = panel.get_by_role("searchbox", name="Search frames").first

    panel.get_by_label("View").select_option("inverted")
    field.fill(f"^{name}$")
    field.press("Enter")
    expect(said).to_contain_text(f"{name}: {spelt(after[name])} after {spelt(before[name])}")
    page.screenshot(path=screenshots / "many-stacks-inverted.png")
    panel.get_by_role("button", name="Its callers and callees").click()
    expect(said).to_contain_text(f"{name}: {spelt(within[name])} after ")
    panel.get_by_label("View").select_option("flame")
    field.fill("")
    expect(said).to_contain_text("Click a frame")
    page.screenshot(path=screenshots / "many-stacks.png")
