"""How long a browser takes over a flamegraph of 100,000 stacks: first paint, zoom, search, inverted, one function.

    python -m tests.bench.flames [--stacks 100000]

Stacks are made up: grown one from another, up to 80 frames deep, of 3,000 functions, a third of them the program's own,
so that they share callers as those of a large program do. The page is a whole report's. Times are those of a Chromium
with no processor for graphics, from the event to the end of the frame that shows what it asked for.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
import tempfile
import time
from pathlib import Path

from playwright.sync_api import Page, sync_playwright
from tests.browser.conftest import ARGUMENTS
from tests.unit.report.fixture import make, shaped

from fuselab.programs import tool
from fuselab.report.inputs import find
from fuselab.report.page.render import write_report

PROFILER = "On CPU (perf)"
CRATES = ("demofs", "tokio", "core", "demofs", "rusqlite", "std", "demofs_meta", "fuse3", "alloc")
_PAINTED = """act => new Promise(done => {
  const begun = performance.now();
  act();
  requestAnimationFrame(() => requestAnimationFrame(() => done(performance.now() - begun)));
})"""


def crowded(count: int, seed: int = 1) -> str:
    """Folded lines of so many stacks: a difference, with a value of each side."""
    chance = random.Random(seed)
    names = [f"{CRATES[i % len(CRATES)]}::module_{i % 97}::Type{i % 31}::function_{i}" for i in range(3000)]
    often = list(itertools.accumulate(1 / (50 + i) for i in range(len(names))))
    stacks: list[tuple[str, ...]] = [("demofs", "demofs::main")]
    while len(stacks) < count:
        like = chance.choice(stacks)
        kept = max(1, len(like) - chance.randrange(9)) if len(like) < 80 else chance.randrange(2, 40)
        stacks.append((*like[:kept], *chance.choices(names, cum_weights=often, k=chance.randrange(1, 11))))
    lines = {";".join(stack) for stack in stacks}
    return "".join(f"{line} {_cost(chance)} {_cost(chance)}\n" for line in sorted(lines))


def _cost(chance: random.Random) -> int:
    return int(chance.paretovariate(0.9) * 1e5) if chance.random() < 0.9 else 0


def write_page(folder: Path, stacks: str) -> Path:
    """A report whose difference of perf's on-CPU stacks is `stacks`."""
    results, shape = folder / "results", shaped("standard", blocks=3)
    yaml = make(results, shape)
    diff = results / shape.name / "diffs/waiting-vs-baseline/seq-write/perf-oncpu/diff.folded"
    assert diff.is_file(), diff
    diff.write_text(stacks)
    page = results / shape.name / "report.html"
    write_report(find(results, yaml, shape.name), page)
    return page


def painted_ms(page: Page, act: str) -> float:
    """From an event, which `act` raises in the panel's `picture`, to the end of the frame behind it."""
    wrapped = f"() => ({_PAINTED})(() => {{ const picture = document.querySelector('.crowded'); {act} }})"
    found: float = page.evaluate(wrapped)
    return found


def figures(page: Page, path: Path) -> dict[str, float]:
    """What was asked -> ms."""
    found = {}
    begun = time.perf_counter()
    page.goto(path.as_uri())
    found["page until it can be read"] = (time.perf_counter() - begun) * 1e3
    panel = page.get_by_role("article", name=PROFILER).get_by_role("tabpanel")
    begun = time.perf_counter()
    panel.scroll_into_view_if_needed()
    panel.locator(".frame[data-ready]").first.wait_for(timeout=120_000)
    found["first paint of the flamegraph"] = (time.perf_counter() - begun) * 1e3
    panel.locator(".picture").first.evaluate("picture => picture.classList.add('crowded')")
    page.evaluate("addEventListener('error', event => { throw event.error })")
    choose = (
        "const s = picture.querySelector('select'); s.value = '{}'; s.dispatchEvent(new Event('change'));"
    )
    key = "picture.querySelector('.frame').dispatchEvent(new KeyboardEvent('keydown', {{key: '{}', bubbles: true}}));"
    field = "const q = picture.querySelector('input[type=search]'); "
    search = field + "q.value = '{}'; q.dispatchEvent(new Event('input'));"
    enter = field + "q.dispatchEvent(new KeyboardEvent('keydown', {key: 'Enter'}));"
    everything = "picture.querySelector('[data-state=all]').click();"
    for _ in range(4):
        painted_ms(page, key.format("ArrowDown"))
    found["zoom"] = painted_ms(page, key.format("Enter"))
    found["zoom out"] = painted_ms(page, key.format("Escape"))
    found["search"] = painted_ms(page, search.format("function_10"))
    found["to the widest match"] = painted_ms(page, enter)
    painted_ms(page, key.format("Escape"))
    for name, view in (
        ("inverted", "inverted"),
        ("one function", "sandwich"),
        ("callers first again", "flame"),
    ):
        found[name] = painted_ms(page, choose.format(view))
    found["runtime and libraries too"] = painted_ms(page, everything)
    for name, view in (("inverted", "inverted"), ("one function", "sandwich")):
        found[f"{name}, runtime and libraries too"] = painted_ms(page, choose.format(view))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--stacks", type=int, default=100_000)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="fuselab-bench-") as name, sync_playwright() as playwright:
        begun = time.perf_counter()
        path = write_page(Path(name), crowded(asked.stacks))
        size_mb = path.stat().st_size / 1e6
        print(
            f"{asked.stacks} stacks: a page of {size_mb:.1f} MB, made in {time.perf_counter() - begun:.1f} s"
        )
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1440, "height": 900})
        for what, ms in figures(page, path).items():
            print(f"  {what:<42} {ms:8.0f} ms")
        browser.close()
    print(f"load average {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
