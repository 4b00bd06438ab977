"""The report in a real Chromium: what a reader clicks, types and sees. Every test also holds that the page logs
nothing and asks the network for nothing (conftest.py)."""

import re
import zlib
from collections import Counter
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, Locator, Page, expect
from tests.browser.conftest import SIZES, Opened, Site

pytestmark = pytest.mark.slow
SHAPES = ("hidden-wait", "awkward", "bare", "wide")
GRAVE = ("moderate", "serious", "critical")


def profiler(page: Page, title: str) -> Locator:
    return page.locator("article").filter(has=page.get_by_role("heading", name=title, exact=True))


def flamegraph(panel: Locator) -> Locator:
    panel.locator(".frame").first.scroll_into_view_if_needed()
    drawn = panel.locator(".frame[data-ready]").first
    expect(drawn).to_be_visible()
    return drawn


def grave(violations: list[dict[str, Any]]) -> list[str]:
    """What axe found and a reader would stumble over."""
    return [f"{v['id']}: {v['nodes'][0]['html'][:200]}" for v in violations if v["impact"] in GRAVE]


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


def test_a_profiler_opens_on_the_difference_and_the_sides_are_one_click_away(
    opened: Opened, site: Site, screenshots: Path
):
    page = opened.show(site.report()).page
    seen = profiler(page, "On CPU (perf)")
    first = seen.get_by_role("tab", name="waiting − baseline", exact=True)
    expect(first).to_have_attribute("aria-selected", "true")
    for label in ("waiting − baseline", "baseline", "waiting"):
        seen.get_by_role("tab", name=label, exact=True).click()
        panel = seen.get_by_role("tabpanel")
        expect(panel).to_have_count(1)
        flamegraph(panel)
        page.screenshot(path=screenshots / f"flamegraph-{label.replace(' ', '')}.png")


def side(page: Page, profiled: str, label: str) -> Locator:
    """The panel of one side, its flamegraph drawn."""
    seen = profiler(page, profiled)
    seen.get_by_role("tab", name=label, exact=True).click()
    panel = seen.get_by_role("tabpanel")
    flamegraph(panel)
    return panel


def said(panel: Locator) -> Locator:
    return panel.locator("output").first


def find(panel: Locator, words: str) -> Locator:
    field = panel.get_by_role("searchbox", name="Search frames").first
    field.fill(words)
    return field


def pixels(panel: Locator) -> str:
    painted: str = panel.locator("canvas").first.evaluate(
        "c => new Promise(tell => requestAnimationFrame(() => setTimeout(() => tell(c.toDataURL()), 50)))"
    )
    return painted


def expect_pixels(panel: Locator, before: str, same: bool) -> None:
    """That the picture comes to be what it was before, or another."""
    canvas = panel.locator("canvas").first.element_handle()
    test = "([canvas, before, same]) => (canvas.toDataURL() === before) === same"
    panel.page.wait_for_function(test, arg=[canvas, before, same])


def test_a_flamegraph_zooms_by_keyboard_and_pointer_and_comes_back(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    panel = side(page, "On CPU (perf)", "baseline")
    before = pixels(panel)
    find(panel, "write_at").press("Enter")
    expect(said(panel)).to_contain_text("demofs::chunks::Chunks::write_at: 1.68 s, 72.9 % of the total")
    find(panel, "")
    expect_pixels(panel, before, same=False)
    panel.get_by_role("button", name="Reset zoom").click()
    expect_pixels(panel, before, same=True)
    frame = flamegraph(panel)
    frame.locator("canvas").click(position={"x": 20, "y": 9 + 3 * 18})
    expect(said(panel)).to_contain_text("demofs::chunks::Chunks::write_at")
    frame.press("ArrowUp")
    expect(said(panel)).to_contain_text("demofs::fs::Fs::write: ")
    frame.press("Escape")
    page.mouse.move(0, 0)
    expect_pixels(panel, before, same=True)


def test_a_flamegraph_is_searched(opened: Opened, site: Site):
    panel = side(opened.show(site.report()).page, "On CPU (perf)", "baseline")
    before = pixels(panel)
    find(panel, "extend_file_size")
    expect(said(panel)).to_contain_text(re.compile(r"Matched: \S+ % in 1 frames"))
    expect_pixels(panel, before, same=False)
    find(panel, "no such frame")
    expect(said(panel)).to_contain_text("No frame matches")
    find(panel, "(")
    expect(said(panel)).to_contain_text("Not a regular expression")
    find(panel, "")
    expect(said(panel)).to_contain_text("Click a frame")
    expect_pixels(panel, before, same=True)


def test_runtime_and_libraries_are_folded_until_asked_for(opened: Opened, site: Site):
    panel = side(opened.show(site.report()).page, "On CPU (perf)", "baseline")
    find(panel, "entry_SYSCALL_64")
    expect(said(panel)).to_contain_text("No frame matches")
    panel.get_by_label("runtime and libraries").check()
    expect(said(panel)).to_contain_text("Matched: ")


def test_each_view_has_an_address_that_opens_it(opened: Opened, site: Site, browser: Browser):
    page = opened.show(site.report()).page
    panel = side(page, "On CPU (perf)", "control − baseline")
    find(panel, "extend_file_size").press("Enter")
    panel.get_by_role("button", name="Its callers and callees").click()
    panel.get_by_label("colour by self").check()
    shown, address = said(panel).inner_text(), page.url
    assert shown.startswith("demofs::fs::Fs::extend_file_size: ")
    other = browser.new_page()
    other.goto(address)
    again = profiler(other, "On CPU (perf)").get_by_role("tabpanel")
    expect(again.locator(".frame[data-ready]").first).to_be_in_viewport()
    expect(said(again)).to_have_text(shown)
    expect(again.get_by_label("View")).to_have_value("sandwich")
    expect(again.get_by_label("colour by self")).to_be_checked()
    other.close()


def test_the_largest_change_is_what_callers_and_callees_are_shown_of(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    panel = side(page, "Spans (tracing-chrome)", "waiting − baseline")
    panel.get_by_label("View").select_option("sandwich")
    expect(said(panel)).to_contain_text("extend_file_size: ")
    panel.get_by_label("View").select_option("inverted")
    find(panel, "extend_file_size").press("Enter")
    expect(said(panel)).to_contain_text("extend_file_size: 8 s after 699 ms")


def test_a_name_can_be_copied(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    panel = side(page, "On CPU (perf)", "baseline")
    find(panel, "write_at").press("Enter")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    panel.get_by_role("button", name="Copy name").click()
    expect(said(panel)).to_have_text("Copied: demofs::chunks::Chunks::write_at")
    assert page.evaluate("navigator.clipboard.readText()") == "demofs::chunks::Chunks::write_at"


def test_pointing_at_a_frame_says_its_name_and_figures(opened: Opened, site: Site):
    panel = side(opened.show(site.report()).page, "Spans (tracing-chrome)", "waiting − baseline")
    panel.locator("canvas").first.hover(position={"x": 40, "y": 9 + 18})
    expect(panel.locator(".tip").first).to_contain_text("extend_file_size")
    expect(panel.locator(".tip").first).to_contain_text("% of the total")


def test_switching_at_once_leaves_no_picture_without_its_width(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    seen = profiler(page, "On CPU (perf)")
    seen.scroll_into_view_if_needed()
    for label in ("waiting", "baseline", "waiting − baseline", "waiting", "control", "waiting"):
        seen.get_by_role("tab", name=label, exact=True).click()
    canvas = flamegraph(seen.get_by_role("tabpanel")).locator("canvas")
    assert canvas.evaluate("canvas => canvas.width") > 500


def test_the_graph_of_the_heap_shows_its_root_first(opened: Opened, site: Site, screenshots: Path):
    page = opened.show(site.report()).page
    panel = side(page, "Heap (jemalloc)", "baseline")
    expect(panel.locator(".title")).to_have_text([re.compile("Heap"), re.compile("jeprof")])
    expect(panel.locator(".title").last).to_be_visible()  # of several pictures each says what it is of
    graph = panel.locator(".frame[data-kind=graph]")
    graph.scroll_into_view_if_needed()
    expect(graph).to_have_attribute("data-ready", "")
    shown = graph.evaluate(
        "f => [f.scrollLeft, f.scrollLeft + f.clientWidth, f.querySelector('img').naturalWidth]"
    )
    root = 2600 / 3000 * shown[2]
    assert shown[0] < root < shown[1]
    page.screenshot(path=screenshots / "heap-graph.png")


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


@pytest.mark.parametrize("opened", ["phone", "phone dark"], indirect=True)
def test_what_goes_on_beyond_the_edge_of_a_telephone_is_seen_to_go_on(opened: Opened, site: Site):
    page = opened.show(site.report("wide")).page
    sign = "box => getComputedStyle(box, '::after').getPropertyValue('content')"
    for box in (page.locator("#matrix"), page.locator("#timed-runs .scroll")):
        assert box.evaluate("box => box.scrollWidth > box.clientWidth")
        assert "›" in box.evaluate(sign)
        box.evaluate("box => { box.scrollLeft = box.scrollWidth; }")
        expect(box).not_to_have_attribute("data-more", "")
        assert box.evaluate(sign) == "none"
        box.evaluate("box => { box.scrollLeft = 0; }")
        expect(box).to_have_attribute("data-more", "")
        page.emulate_media(media="print")
        assert box.evaluate("box => getComputedStyle(box, '::after').display") == "none"
        page.emulate_media(media="screen")


def test_a_refused_capture_is_a_reason_and_no_frame(opened: Opened, site: Site, screenshots: Path):
    page = opened.show(site.report("awkward")).page
    seen = profiler(page, "Heap (jemalloc)")
    panel = seen.get_by_role("tabpanel")
    expect(panel).to_contain_text("No picture:")
    expect(panel).to_contain_text("To mend it:")
    expect(panel.locator(".frame")).to_have_count(0)
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


@pytest.mark.parametrize("opened", ["desktop", "desktop dark", "phone"], indirect=True)
@pytest.mark.parametrize("name", ["hidden-wait", "awkward", "overview", "reproduced", "history"])
def test_axe_finds_nothing_moderate(opened: Opened, site: Site, name: str):
    beside = {"overview": site.overview, "reproduced": site.reproduced, "history": site.history}
    path = beside[name]() if name in beside else site.report(name)
    page = opened.show(path).page
    page.evaluate("document.querySelectorAll('details').forEach(d => { d.open = true })")
    page.wait_for_timeout(500)
    assert grave(Axe().run(page, options={"iframes": False}).response["violations"]) == []


def test_axe_finds_nothing_moderate_in_a_drawn_flamegraph(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    flamegraph(profiler(page, "On CPU (perf)").get_by_role("tabpanel"))
    assert grave(Axe().run(page, ".picture").response["violations"]) == []


def test_it_prints_whole(opened: Opened, site: Site, screenshots: Path):
    page = opened.show(site.report()).page
    for frame in page.locator(".panel:not([hidden]) .frame").all():
        frame.scroll_into_view_if_needed()
        expect(frame).to_have_attribute("data-ready", "")
    pdf = page.pdf(path=screenshots / "hidden-wait.pdf", format="A4", print_background=True)
    assert 5 <= pdf.count(b"/Type /Page\n") + pdf.count(b"/Type /Page ") <= 28
    page.emulate_media(media="print")
    expect(page.locator(".toc")).to_be_hidden()
    assert page.locator(".panel").count() == page.locator(".panel:visible").count(), "every tab"
    shown = "rows => rows.every(row => getComputedStyle(row).display !== 'none')"
    assert page.locator("tbody tr").evaluate_all(shown), "no row is folded"
    # A button is not drawn again where a table goes on: its heading would be empty on every page but the first.
    assert page.locator("th button").first.evaluate("b => getComputedStyle(b).display") == "contents"
    notes = page.locator("td:has(details.fold):visible")
    assert notes.evaluate_all("cells => cells.every(cell => cell.clientWidth > 100)"), (
        "no note of a word a line"
    )


MOST_OF_IT = """canvas => {
    const seen = new Map(), {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
    for (let i = 0; i < data.length; i += 4) if (data[i + 3] === 255) {
        const colour = data.slice(i, i + 3).join();
        seen.set(colour, (seen.get(colour) ?? 0) + 1);
    }
    return [...seen.keys()].sort((a, b) => seen.get(b) - seen.get(a))[0] ?? 'nothing';
}"""


def fills(pdf: bytes) -> Counter[str]:
    """How often each colour fills something in it, as `242,172,104`."""
    found = Counter[str]()
    for stream in re.finditer(rb"/Length (\d+)>> stream\r?\n", pdf):
        with suppress(zlib.error):
            drawn = zlib.decompress(pdf[stream.end() : stream.end() + int(stream[1])])
            for colour in re.findall(rb"((?:[\d.]+ ){3})rg", drawn):
                found[",".join(str(round(255 * float(part))) for part in colour.split())] += 1
    return found


def test_pictures_of_other_tabs_are_on_the_printed_page(opened: Opened, site: Site):
    page = opened.show(site.report()).page
    assert page.locator(".panel[hidden] .frame").count() > 0
    expect(page.locator(".frame:empty")).to_have_count(0, timeout=60_000)  # drawn when the page is at rest
    printed = fills(page.pdf(format="A4", print_background=True))
    page.emulate_media(media="print")
    page.evaluate("dispatchEvent(new Event('beforeprint'))")
    wanted = Counter(canvas.evaluate(MOST_OF_IT) for canvas in page.locator(".frame canvas").all())
    assert "nothing" not in wanted
    assert sum(wanted.values()) == page.locator(".frame[data-kind=flame]").count() > 20
    assert {colour: count for colour, count in wanted.items() if printed[colour] < count} == {}
    for graph in page.locator(".frame[data-kind=graph] img").all():
        assert graph.evaluate("i => i.naturalWidth > 100 && i.width <= i.closest('.frame').clientWidth"), (
            "whole"
        )
        # However tall: it goes on on the next page, and its letters stay letters.
        graph.evaluate(
            "i => { i.src = URL.createObjectURL(new Blob([TALL], {type: 'image/svg+xml'})); }".replace(
                "TALL", "`<svg xmlns='http://www.w3.org/2000/svg' width='600' height='6000'/>`"
            )
        )
        expect(graph).to_have_js_property("naturalHeight", 6000)
        assert graph.evaluate("i => i.width === Math.min(600, i.parentElement.clientWidth)"), "legible"


def test_without_a_script_every_panel_stands_open(browser, site: Site):
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.report().as_uri())
    panels = page.locator(".panel")
    assert panels.count() > 20
    expect(panels.last).to_be_visible()
    still = page.locator("noscript img").first
    assert still.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 100
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
