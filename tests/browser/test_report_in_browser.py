"""The report in a real Chromium: what a reader clicks, types and sees. Every test also holds that the page logs
nothing and asks the network for nothing (conftest.py)."""

from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import FrameLocator, Locator, Page, expect
from tests.browser.conftest import SIZES, Opened, Site

pytestmark = pytest.mark.slow
SHAPES = ("hidden-wait", "awkward", "bare", "wide")
SERIOUS = ("serious", "critical")


def profiler(page: Page, title: str) -> Locator:
    return page.locator("article").filter(has=page.get_by_role("heading", name=title, exact=True))


def flamegraph(panel: Locator) -> FrameLocator:
    panel.locator(".frame").first.scroll_into_view_if_needed()
    expect(panel.locator(".frame[data-ready]").first).to_be_visible()
    return panel.frame_locator("iframe").first


def grave(violations: list[dict[str, Any]]) -> list[str]:
    """What axe found and a reader would stumble over."""
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in violations if v["impact"] in SERIOUS]


@pytest.mark.parametrize("opened", ["desktop", "phone", "desktop dark"], indirect=True)
@pytest.mark.parametrize("name", SHAPES)
def test_the_page_fits_its_window(opened: Opened, site: Site, name: str, request, screenshots: Path):
    page = opened.show(site.report(name)).page
    page.wait_for_timeout(500)
    kind = request.node.callspec.params["opened"].replace(" ", "-")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[kind.split("-")[0]]["width"]
    page.screenshot(path=screenshots / f"{name}-{kind}.png")
    page.screenshot(path=screenshots / f"{name}-{kind}-whole.png", full_page=True)


def test_the_verdict_and_the_plot_are_on_the_first_screen(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    expect(page.locator(".sentence").first).to_be_in_viewport()
    expect(page.locator("#ratios svg").first).to_be_in_viewport(ratio=0.9)


def test_one_click_leads_from_baseline_to_variant_to_difference(
    opened: Opened, site: Site, screenshots: Path
):
    page = opened.show(site.report()).page
    seen = profiler(page, "On CPU (perf)")
    for label, title in (
        ("baseline", "baseline: ns on CPU"),
        ("waiting", "waiting: ns on CPU"),
        ("waiting − baseline", "difference"),
    ):
        seen.get_by_role("tab", name=label, exact=True).click()
        panel = seen.get_by_role("tabpanel")
        expect(panel).to_have_count(1)
        expect(flamegraph(panel).locator("#title")).to_have_text(title)
        page.screenshot(path=screenshots / f"flamegraph-{label.replace(' ', '')}.png")


def width(element: Locator) -> float:
    box = element.bounding_box()
    assert box is not None
    return box["width"]


def test_a_flamegraph_zooms_and_comes_back(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    panel = profiler(page, "On CPU (perf)").get_by_role("tabpanel")
    frame = flamegraph(panel)
    group = frame.locator("#frames > g", has_text="copy_nonoverlapping").first
    copying = group.locator("rect")
    before = width(copying)
    group.locator("text").click()
    assert width(copying) > 1.5 * before
    panel.get_by_role("button", name="Reset zoom").click()
    expect(frame.locator("#unzoom")).to_have_class("hide")
    assert width(copying) == pytest.approx(before, rel=0.01)


def test_a_flamegraph_is_searched_from_the_keyboard(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    panel = profiler(page, "On CPU (perf)").get_by_role("tabpanel")
    frame = flamegraph(panel)
    field = panel.get_by_role("searchbox", name="Search frames")
    field.fill("writev")
    expect(panel.locator("output").first).to_contain_text("Matched: ")
    assert frame.locator('#frames rect[fill="rgb(230,0,230)"]').count() > 0
    field.fill("no such frame")
    expect(panel.locator("output").first).to_contain_text("No frame matches")
    field.fill("(")
    expect(panel.locator("output").first).to_contain_text("Not a regular expression")
    field.fill("")
    expect(panel.locator("output").first).to_contain_text("Click a frame")
    assert frame.locator('#frames rect[fill="rgb(230,0,230)"]').count() == 0


def test_a_flamegraph_is_zoomed_from_the_keyboard(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    panel = profiler(page, "On CPU (perf)").get_by_role("tabpanel")
    frame = flamegraph(panel)
    copying = frame.locator("#frames > g", has_text="copy_nonoverlapping").first.locator("rect")
    before = width(copying)
    field = panel.get_by_role("searchbox", name="Search frames")
    field.fill("copy_nonoverlapping")
    expect(panel.locator("output").first).to_contain_text("Matched: ")
    field.press("Enter")
    expect(frame.locator("#unzoom")).not_to_have_class("hide")
    assert width(copying) > 1.5 * before


def test_switching_at_once_leaves_no_picture_without_its_width(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    seen = profiler(page, "On CPU (perf)")
    seen.scroll_into_view_if_needed()
    for label in ("waiting", "baseline", "waiting − baseline", "waiting", "control", "waiting"):
        seen.get_by_role("tab", name=label, exact=True).click()
    frame = flamegraph(seen.get_by_role("tabpanel"))
    assert width(frame.locator("#frames")) > 500


def test_the_graph_of_the_heap_shows_its_root_first(opened: Opened, site: Site, screenshots: Path):
    page = opened.show(site.report()).page
    panel = profiler(page, "Heap (jemalloc)").get_by_role("tabpanel")
    graph = panel.locator(".frame[data-kind=graph]")
    graph.scroll_into_view_if_needed()
    expect(graph).to_have_attribute("data-ready", "")
    shown = graph.evaluate(
        "f => [f.scrollLeft, f.scrollLeft + f.clientWidth, f.querySelector('img').naturalWidth]"
    )
    root = 2600 / 3000 * shown[2]
    assert shown[0] < root < shown[1]
    page.screenshot(path=screenshots / "heap-graph.png")


def test_pointing_at_a_frame_tells_its_figures(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    panel = profiler(page, "On CPU (perf)").get_by_role("tabpanel")
    flamegraph(panel).locator("#frames > g", has_text="copy_nonoverlapping").first.locator("text").hover()
    expect(panel.locator("output").first).to_contain_text("core::ptr::copy_nonoverlapping (")


def test_tabs_answer_to_arrow_keys(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    seen = profiler(page, "On CPU (perf)")
    seen.get_by_role("tab", name="baseline", exact=True).focus()
    page.keyboard.press("ArrowRight")
    expect(seen.get_by_role("tab", name="waiting", exact=True)).to_be_focused()
    expect(seen.get_by_role("tab", name="waiting", exact=True)).to_have_attribute("aria-selected", "true")
    page.keyboard.press("End")
    expect(seen.get_by_role("tab", name="control − baseline")).to_have_attribute("aria-selected", "true")
    page.keyboard.press("ArrowRight")
    expect(seen.get_by_role("tab", name="baseline", exact=True)).to_have_attribute("aria-selected", "true")


def column(table: Locator, number: int) -> list[float]:
    cells = table.locator(f"tbody tr td:nth-child({number})")
    return [float(value) for value in cells.evaluate_all("cells => cells.map(c => c.dataset.v)")]


def test_a_table_sorts_by_number_both_ways_the_largest_first(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    table = page.locator("#timed-runs")
    heading = table.get_by_role("columnheader", name="steal")
    number = 1 + heading.evaluate("h => h.cellIndex")
    heading.get_by_role("button").click()
    expect(heading).to_have_attribute("aria-sort", "descending")
    assert column(table, number) == sorted(column(table, number), reverse=True)
    heading.get_by_role("button").press("Enter")
    expect(heading).to_have_attribute("aria-sort", "ascending")
    assert column(table, number) == sorted(column(table, number))


def test_a_table_filters_by_words_and_unfolds(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    table = page.locator("#timed-runs")
    rows = table.locator("tbody tr:visible")
    expect(rows).to_have_count(15)
    table.get_by_role("button", name="Show all 18 rows").click()
    expect(rows).to_have_count(18)
    table.get_by_role("searchbox", name="Filter").fill("waiting")
    expect(rows).to_have_count(6)
    expect(table.get_by_role("status")).to_have_text("6 of 18 rows")


def test_a_refused_capture_is_a_reason_and_no_frame(opened: Opened, site: Site, screenshots: Path):
    page = opened.show(site.report("awkward")).page
    seen = profiler(page, "Heap (jemalloc)")
    panel = seen.get_by_role("tabpanel")
    expect(panel).to_contain_text("No picture:")
    expect(panel).to_contain_text("To mend it:")
    expect(panel.locator("iframe")).to_have_count(0)
    panel.scroll_into_view_if_needed()
    page.screenshot(path=screenshots / "refused.png")


def test_a_variant_called_script_is_text(opened: Opened, site: Site):
    page = opened.show(site.report("awkward")).page
    asked: list[str] = []
    page.on("dialog", lambda dialog: asked.append(dialog.message))
    expect(page.locator(".sentence").first).to_contain_text("<script>alert(1)<b> writes")
    profiler(page, "On CPU (perf)").get_by_role("tab", name="<script>alert(1)<b>", exact=True).click()
    flamegraph(profiler(page, "On CPU (perf)").get_by_role("tabpanel"))
    assert asked == []


def test_the_data_of_a_figure_can_be_saved_from_the_file_alone(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    with page.expect_download() as saved:
        page.locator("#ratios").get_by_role("link", name="data (CSV)").click()
    assert saved.value.suggested_filename == "ratios.csv"
    assert saved.value.path().read_text().splitlines()[0].startswith("workload,baseline,variant,metric")


def test_frames_can_reach_neither_the_page_nor_its_files(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    flamegraph(profiler(page, "On CPU (perf)").get_by_role("tabpanel"))
    drawn = next(frame for frame in page.frames if frame != page.main_frame)
    reach = "() => { try { return parent.document.title } catch (error) { return error.name } }"
    assert drawn.evaluate(reach) == "SecurityError"
    opened.complaints = [told for told in opened.complaints if "Blocked a frame" not in told]


@pytest.mark.parametrize("opened", ["desktop", "desktop dark", "phone"], indirect=True)
@pytest.mark.parametrize("name", ["hidden-wait", "awkward", "overview", "reproduced", "history"])
def test_axe_finds_nothing_serious(opened: Opened, site: Site, name: str):
    beside = {"overview": site.overview, "reproduced": site.reproduced, "history": site.history}
    path = beside[name]() if name in beside else site.report(name)
    page = opened.show(path).page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    page.wait_for_timeout(500)
    assert grave(Axe().run(page, options={"iframes": False}).response["violations"]) == []


def test_axe_finds_nothing_serious_inside_a_flamegraph(opened: Opened, site: Site):
    """A frame in a sandbox of its own, into which axe does not look from the page."""
    page = opened.show(site.report()).page
    flamegraph(profiler(page, "On CPU (perf)").get_by_role("tabpanel"))
    frame = page.frames[-1]
    assert frame.locator("svg").count() >= 1
    assert grave(Axe().run(frame).response["violations"]) == []


def test_it_prints_whole(opened: Opened, site: Site, screenshots: Path):
    page = opened.show(site.report()).page
    for frame in page.locator(".panel:not([hidden]) .frame").all():
        frame.scroll_into_view_if_needed()
        expect(frame).to_have_attribute("data-ready", "")
    pdf = page.pdf(path=screenshots / "hidden-wait.pdf", format="A4", print_background=True)
    assert 5 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 25
    page.emulate_media(media="print")
    expect(page.locator(".toc")).to_be_hidden()


def test_without_a_script_every_panel_stands_open(browser, site: Site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.report().as_uri())
    panels = page.locator(".panel")
    assert panels.count() > 20
    expect(panels.last).to_be_visible()
    context.close()


@pytest.mark.parametrize("opened", ["desktop", "phone"], indirect=True)
def test_the_front_page_leads_to_a_report(opened: Opened, site: Site, request, screenshots: Path):
    page = opened.show(site.overview()).page
    page.screenshot(
        path=screenshots / f"overview-{request.node.callspec.params['opened']}.png", full_page=True
    )
    page.get_by_role("link", name="Does a wait in extend_file_size").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Does a wait in extend_file_size")
    page.get_by_role("link", name="All experiments").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Experiments")


@pytest.mark.parametrize("opened", ["desktop", "phone", "desktop dark"], indirect=True)
def test_the_history_says_since_when_and_shows_every_night(
    opened: Opened, site: Site, request, screenshots: Path
):
    kind = request.node.callspec.params["opened"].replace(" ", "-")
    page = opened.show(site.history()).page
    expect(page.locator(".sentence").first).to_contain_text("From 2026-03-21 on")
    assert page.evaluate("document.documentElement.scrollWidth") <= SIZES[kind.split("-")[0]]["width"]
    page.screenshot(path=screenshots / f"history-{kind}.png", full_page=True)
    page.get_by_text("Every night", exact=True).click()
    expect(page.locator("tbody tr")).to_have_count(28)
    expect(page.locator("tbody tr").first).to_contain_text("2026-03-28")
