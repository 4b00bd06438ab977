"""A real Chromium with no network, and the pages to look at.

Screenshots are kept in `tests/output/screenshots/`.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, ViewportSize, sync_playwright
from tests.unit.history.made_up import slowed_nights
from tests.unit.report.fixture import SHAPES, make, shaped

from fuselab.history.page import write_history
from fuselab.programs import tool
from fuselab.report.inputs import ReportInputs, find
from fuselab.report.overview import write_overview
from fuselab.report.page.render import write_report
from fuselab.report.paper.bundle import write_bundle
from fuselab.report.reproduction.reproduced import write_reproduced

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
SIZES: dict[str, ViewportSize] = {
    "desktop": {"width": 1440, "height": 900},
    "phone": {"width": 390, "height": 844},
}


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=tool("chromium"), args=ARGUMENTS)
        yield chromium
        chromium.close()


@dataclass(frozen=True)
class Site:
    """`results/` with pages that are made when they are first asked for."""

    results: Path

    def report(self, name: str = "hidden-wait") -> Path:
        page = self.results / name / "report.html"
        if not page.exists():
            write_report(self._inputs(name), page)
        return page

    def reproduced(self) -> Path:
        page = self.results / "hidden-wait" / "reproduced.html"
        if not page.exists():
            inputs, checkout = self._inputs("hidden-wait"), self.results.parent
            write_bundle(inputs, checkout, self.results / "bundle.zip")
            write_reproduced(self.results / "bundle.zip", inputs, checkout, page)
        return page

    def history(self) -> Path:
        page = self.results / "nightly" / "history.html"
        page.parent.mkdir(parents=True, exist_ok=True)
        write_history(slowed_nights(), (), page, page.with_suffix(".csv"))
        return page

    def overview(self) -> Path:
        for shape in SHAPES.values():
            self.report(shape.name)
        page, names = self.results / "report.html", [shape.name for shape in SHAPES.values()]
        write_overview(self.results, names[:2], {"misspelt": "misspelt.yaml:7: unknown key"}, page, names[2:])
        return page

    def _inputs(self, name: str) -> ReportInputs:
        yaml = self.results.parent / "experiments" / f"{name}.yaml"
        if not yaml.exists():
            kind = next(kind for kind, shape in SHAPES.items() if shape.name == name)
            make(self.results, shaped(kind, blocks=6))
        return find(self.results, yaml, name)


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Site:
    return Site(tmp_path_factory.mktemp("site") / "results")


@pytest.fixture(scope="session")
def screenshots() -> Path:
    folder = Path(__file__).parents[1] / "output" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@dataclass
class Opened:
    """A page, and whatever it complained of or asked for."""

    page: Page
    complaints: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def show(self, path: Path) -> "Opened":
        self.page.goto(path.as_uri())
        return self


@pytest.fixture
def opened(request: pytest.FixtureRequest, browser: Browser) -> Iterator[Opened]:
    """A new page; parametrize indirectly with `desktop`, `phone` or `desktop dark`."""
    size, _, scheme = getattr(request, "param", "desktop").partition(" ")
    context = browser.new_context(
        viewport=SIZES[size],
        color_scheme="dark" if scheme else "light",
        is_mobile=size == "phone",
        has_touch=size == "phone",
        offline=True,
    )
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: opened.complaints.append(f"{message.type}: {message.text}"))
    opened.page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    opened.page.on("request", lambda asked: opened.requests.append(asked.url))
    yield opened
    context.close()
    assert opened.complaints == []
    assert [url for url in opened.requests if not url.startswith(("file:", "data:", "blob:"))] == []
