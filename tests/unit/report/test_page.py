"""The page of an experiment: whole in one file, safe from names, and honest about what is missing."""

import base64
import gzip
import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import msgspec
import pytest

from fuselab.report import counts
from fuselab.report.embed import Carrier
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import cautions, profiles
from fuselab.report.page.render import page, write_report
from fuselab.report.reading import Results

VOID = {"meta", "link", "input", "br", "img", "hr", "path", "use", "rect", "stop"}


class Outline(HTMLParser):
    """Elements with their attributes, and the text outside scripts and styles."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.text = ""
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] not in ("script", "style"):
            self.text += data

    def values(self, name: str) -> list[str]:
        return [value for _, attrs in self.elements if (value := attrs.get(name))]


@pytest.fixture(scope="module", params=["standard_page", "awkward_page"])
def path(request):
    return request.getfixturevalue(request.param)


@pytest.fixture(scope="module")
def outline(path: Path) -> Outline:
    return Outline(path.read_text())


def test_nothing_is_fetched(path: Path):
    text = path.read_text()
    loads = re.findall(r"""(?:\ssrc|<link[^>]+href)\s*=\s*["']?\s*((?:https?:)?//[^\s"'>]+)""", text)
    loads += re.findall(r"""(?:url\(|@import|import\(|fetch\()\s*["']?\s*((?:https?:)?//[^\s"')]+)""", text)
    assert loads == []
    assert path.stat().st_size < 15_000_000


def test_elements_are_nested_and_closed(outline: Outline):
    assert outline.open == []


def test_what_to_change_in_the_program_is_seen_without_opening_anything(standard_page: Path):
    before, hint, _ = standard_page.read_text().partition("a span there would show it.")
    assert hint
    assert before.count("<details") == before.count("</details>")


def test_ids_are_unique_and_every_reference_finds_its_own(outline: Outline):
    ids = outline.values("id")
    assert [name for name, count in Counter(ids).items() if count > 1] == []
    wanted = {
        word
        for name in ("aria-labelledby", "aria-controls")
        for v in outline.values(name)
        for word in v.split()
    }
    wanted |= {
        value[1:] for value in outline.values("href") + outline.values("xlink:href") if value.startswith("#")
    }
    wanted |= {name for value in outline.values("clip-path") for name in re.findall(r"url\(#(.*?)\)", value)}
    assert wanted - set(ids) == set()


def test_links_beside_the_page_lead_to_files(path: Path, outline: Outline):
    beside = [v for v in outline.values("href") if not v.startswith(("#", "data:"))]
    missing = [
        v for v in beside if not (path.parent / unquote(v)).exists() and not v.endswith("../report.html")
    ]
    assert beside
    assert missing == []


def test_every_figure_has_a_caption_a_description_and_its_data(outline: Outline, path: Path):
    figures = re.findall(r"<figure id=.*?</figure>", path.read_text(), re.DOTALL)
    assert len(figures) > 6
    for figure in figures:
        assert re.search(r'<svg[^>]+role="img"[^>]*aria-label="[^"]{20,}"', figure) or re.search(
            r'aria-label="[^"]{20,}"[^>]*role="img"', figure
        )
        assert re.search(r"<figcaption>\w", figure)
        assert "data:text/csv" in figure


def test_figures_take_the_colours_of_the_readers_scheme(path: Path):
    svgs = "".join(re.findall(r"<svg.*?</svg>", path.read_text(), re.DOTALL))
    assert "var(--v1)" in svgs
    assert set(re.findall(r"#[0-9a-fA-F]{6}\b", svgs)) <= {"#ffffff"}


def test_the_page_carries_every_stack_and_every_graph(standard_page: Path):
    text = standard_page.read_text()
    payloads = re.findall(r'<script type="application/gzip\+base64" id="embed-\d+">(.*?)</script>', text)
    carried = [gzip.decompress(base64.b64decode(payload)) for payload in payloads]
    graphs = {content for content in carried if content.startswith(b"<?xml")}
    assert graphs == {path.read_bytes() for path in standard_page.parent.glob("**/jeprof.svg")}
    totals = sorted(sum(json.loads(content)["value"]) for content in carried if content not in graphs)
    folder = standard_page.parent
    files = [*folder.glob("**/folded.txt"), *folder.glob("**/diff.folded")]
    assert totals == sorted(
        sum(round(float(line.rpartition(" ")[2])) for line in path.read_text().splitlines()) for path in files
    )


def test_names_are_text_wherever_they_stand(awkward_page: Path):
    text = awkward_page.read_text()
    for name in ("<script>alert", "</script><script>", "rand<b>write", "<b>EIO</b>"):
        assert name not in text
    assert "&lt;script&gt;alert(1)&lt;b&gt;" in text
    assert "&lt;b&gt;EIO&lt;/b&gt;" in text


def test_sql_results_are_text(standard_page: Path):
    outline = Outline(standard_page.read_text())
    assert "<script>alert('sql')</script>" in outline.text


def test_a_refused_capture_says_why_and_what_to_change_in_place_of_a_picture(awkward_page: Path):
    outline = Outline(awkward_page.read_text())
    assert "the recording holds 0 events" in outline.text
    assert "set log_filter to" in outline.text


def test_an_unavailable_profiler_says_for_whom_and_why(awkward_page: Path):
    assert "LD_PRELOAD cannot replace its allocator" in Outline(awkward_page.read_text()).text


def test_a_query_that_failed_shows_the_error(standard_page: Path):
    assert 'column "nothing" not found' in Outline(standard_page.read_text()).text


def test_the_alarm_stands_before_every_verdict(awkward_page: Path):
    text = Outline(awkward_page.read_text()).text
    assert text.index("Control alarm") < text.index("slower than")


def test_the_page_answers_in_the_order_that_is_promised(standard_page: Path):
    outline = Outline(standard_page.read_text())
    order = ["verdicts", "runs", "time", "profilers", "cost", "provenance"]
    assert [i for i in outline.values("id") if i in order] == order


def test_voided_attempts_and_marks_are_listed_with_their_reasons(standard_page: Path):
    text = Outline(standard_page.read_text()).text
    assert "other user processes used 22\N{NO-BREAK SPACE}% of a core" in text
    assert "6 blocks, 1 attempt voided." in text.replace("\N{NO-BREAK SPACE}", " ")


def test_quality_stands_beside_the_flamegraph(standard_page: Path):
    text = Outline(standard_page.read_text()).text
    assert "stacks that are whole" in text
    assert "99.2\N{NO-BREAK SPACE}%" in text


def test_the_commands_that_make_it_again_are_given(standard_page: Path):
    text = Outline(standard_page.read_text()).text
    assert "snakemake --cores 4 results/hidden-wait/report.html" in text
    assert "cargo build --release --locked" in text


def test_only_the_tools_that_a_profiler_used_stand_beside_it(results: Results):
    shown = {
        plan.name: profiles.profilers(results, Carrier(Path("report.html")))[i]
        for i, plan in enumerate(results.plan.profilers)
    }
    facts = {
        name: {fact.label for w in view.workloads for tab in w.tabs for fact in tab.quality}
        for name, view in shown.items()
    }
    assert "perf" in facts["perf-oncpu"]
    assert "perf" not in facts["tokio-console"] | facts["jemalloc-heap"]


@pytest.mark.parametrize(("looks_at", "said"), [({"looks_at": "command"}, True), ({}, False)])
def test_it_is_said_whom_profilers_looked_at_where_it_is_not_the_filesystem(
    results: Results, standard: ReportInputs, looks_at, said
):
    other = Results(standard)
    (workload,) = results.plan.workloads
    command = replace(workload, kind="command", settings={"argv": ["tar", "-xf", "x"], **looks_at})
    other.plan = replace(results.plan, workloads=(command,))
    words = "Looked at is the command `tar` with all that it starts, and not the filesystem."
    views = profiles.profilers(other, Carrier(Path("report.html")))
    assert {words in w.findings for view in views for w in view.workloads} == {said}


def test_unexplained_time_below_nothing_is_explained(standard_page: Path):
    assert "Unexplained below 0: the captures are different runs" in Outline(standard_page.read_text()).text


def test_the_page_names_its_night_and_leads_to_all_of_them_if_there_are_any(
    standard: ReportInputs, tmp_path: Path
):
    folder = tmp_path / "results" / "hidden-wait"
    folder.mkdir(parents=True)
    plan = replace(standard.plan, night="2026-03-01")
    (folder / "plan.json").write_bytes(msgspec.json.encode(plan))
    inputs = replace(standard, plan_file=folder / "plan.json")
    alone = page(inputs, folder / "report.html")
    assert (alone.night, alone.history) == ("2026-03-01", None)
    (folder / "history.html").touch()
    write_report(inputs, folder / "report.html")
    link = '<a href="history.html">night of 2026-03-01</a>'
    assert link in (folder / "report.html").read_text()


@pytest.mark.parametrize(("sums", "warned"), [(["one", "one"], True), (["one", "two"], False)])
def test_two_builds_that_are_one_program_are_said_to_be_that(
    results: Results, standard: ReportInputs, sums, warned
):
    other = Results(standard)
    contrast, build = results.plan.contrasts[0], results.builds[0]
    variants = {v.name: replace(v, builds={"none": f"demofs/{v.name}"}) for v in results.plan.variants}
    other.plan = replace(results.plan, contrasts=(contrast,), variants=tuple(variants.values()))
    sides = (contrast.baseline, contrast.variant)
    other.builds = tuple(
        replace(build, target="demofs", build=side, sha256=digest)
        for side, digest in zip(sides, sums, strict=True)
    )
    assert any("byte for byte" in said for said in cautions.cautions(other)) == warned


@pytest.mark.parametrize(
    ("jobs", "warned"),
    [
        ({"job": {"rw": "randrw"}}, True),
        ({"job": {"rw": "write"}}, False),
        ({"one": {"rw": "read"}, "two": {"rw": "write"}}, False),
    ],
)
def test_reads_and_writes_of_one_job_are_said_to_wait_for_each_other(
    results: Results, standard: ReportInputs, jobs, warned
):
    other = Results(standard)
    (workload,) = results.plan.workloads
    other.plan = replace(results.plan, workloads=(replace(workload, settings={"jobs": jobs, "global": {}}),))
    assert any("wait for each other" in said for said in cautions.cautions(other)) == warned


def test_blocks_are_counted_in_one_wording(results: Results, standard: ReportInputs):
    assert plain(counts.total(results)) == "6 blocks, 1 attempt voided"
    several = Results(standard)
    several.blocks = {"one": results.blocks["seq-write"], "two": results.blocks["seq-write"]}
    assert plain(counts.total(several)) == "12 blocks (6 of each of 2 workloads), 2 attempts voided"
    several.blocks = {"one": results.blocks["seq-write"], "two": results.blocks["seq-write"][:2]}
    assert plain(counts.total(several)) == "8 blocks (6 of `one` and 2 of `two`), 1 attempt voided"


def plain(text: str) -> str:
    return text.replace("\N{NO-BREAK SPACE}", " ")
