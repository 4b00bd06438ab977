"""The pictures of README.md and docs/reading.md, taken anew of the report beside this file: `make pictures`."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Locator, Page, sync_playwright

from fuselab.programs import tool

DOCS = Path(__file__).parents[1]
WIDTH = 976
EDGE = 6
"""Of the page around what is shown, in pixels."""


def part(page: Page, first: Locator, path: Path, height: int | None = None) -> None:
    """`first` over the width of the page, or what begins there and is so high."""
    box = first.evaluate("e => { const b = e.getBoundingClientRect(); return [b.top + scrollY, b.height]; }")
    top, high = box[0] - EDGE, height or box[1] + 2 * EDGE
    clip = {"x": 0, "y": top, "width": WIDTH, "height": high}
    page.screenshot(path=path, clip=clip, full_page=True)  # type: ignore[arg-type]


def main() -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=tool("chromium"), args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": 1008})
        page.goto((DOCS / "demo" / "report.html").as_uri())
        page.screenshot(path=DOCS / "report.png")
        reading = DOCS / "reading"
        part(page, page.locator(".verdicts").first, reading / "verdict.png")
        part(page, page.locator("[id^=because-] svg").first, reading / "difference.png")
        for profiler, name, height in (
            ("perf: on CPU", "on-cpu", 520),
            ("tracing-chrome: spans", "spans", 700),
        ):
            shown = page.locator("article").filter(has=page.get_by_role("heading", name=profiler))
            panel = shown.locator(".panel:not([hidden])")
            panel.locator(".frame").first.scroll_into_view_if_needed()
            panel.locator(".frame[data-ready]").first.wait_for()
            first = panel.locator(".table" if name == "on-cpu" else ".note").first
            part(page, first, reading / f"{name}.png", height)
        browser.close()


if __name__ == "__main__":
    main()
