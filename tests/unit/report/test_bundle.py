"""The paper bundle, and the page that says which of its verdicts held."""

import hashlib
import json
import re
import shutil
import subprocess
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.records.request import NOT_FRESH
from fuselab.report.context import Cell, Column, Table
from fuselab.report.embed import Carrier
from fuselab.report.inputs import ReportInputs
from fuselab.report.paper import latex
from fuselab.report.paper.bundle import tables_of, write_bundle
from fuselab.report.paper.methods import methods
from fuselab.report.reading import Results
from fuselab.report.reproduction.reproduced import reproduction, write_reproduced

pytestmark = pytest.mark.slow  # each figure twice as a file, in every one of its formats


@pytest.fixture(scope="module")
def bundle(standard: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    write_bundle(standard, folder, folder / "bundle.zip", checkout=checkout(folder))
    return folder / "bundle.zip"


def checkout(folder: Path) -> Path:
    """What a bundle takes from fuselab's own folder."""
    (folder / "envs" / "debian").mkdir(parents=True)
    (folder / "envs" / "requirements.txt").write_text("matplotlib==3.11.2\n")
    (folder / "envs" / "debian" / "run.txt").write_text("# lists\nbash  # always there\n")
    (folder / "targets" / "demofs").mkdir(parents=True)
    (folder / "targets" / "demofs" / "target.yaml").write_text("name: demofs\n")
    return folder


@pytest.fixture(scope="module")
def files(bundle: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(bundle) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_every_figure_is_there_as_svg_pdf_and_data(files):
    figures = {name.rsplit(".", 1)[0] for name in files if name.startswith("figures/")}
    assert len(figures) > 8
    for figure in figures:
        assert files[f"{figure}.pdf"].startswith(b"%PDF")
        assert b"<svg" in files[f"{figure}.svg"]
        assert files[f"{figure}.csv"].count(b"\n") > 1


def test_the_checksums_are_those_of_the_files(files):
    lines = files["checksums.sha256"].decode().splitlines()
    assert {line.split("  ")[1] for line in lines} == set(files) - {
        "checksums.sha256",
        "ro-crate-metadata.json",
    }
    for digest, name in (line.split("  ") for line in lines):
        assert hashlib.sha256(files[name]).hexdigest() == digest


def test_the_crate_describes_every_file(files):
    crate = json.loads(files["ro-crate-metadata.json"])
    entities = {entity["@id"]: entity for entity in crate["@graph"]}
    assert entities["ro-crate-metadata.json"]["about"] == {"@id": "./"}
    parts = {part["@id"] for part in entities["./"]["hasPart"]}
    assert parts == set(files) - {"ro-crate-metadata.json"}
    assert {"name", "description", "datePublished", "license"} <= set(entities["./"])
    assert all(int(entities[part]["contentSize"]) == len(files[part]) for part in parts)


def test_the_same_files_make_the_same_bundle(bundle: Path, standard: ReportInputs):
    again = bundle.with_name("again.zip")
    write_bundle(standard, bundle.parent, again, checkout=bundle.parent)
    assert again.read_bytes() == bundle.read_bytes()


def test_the_methods_say_what_was_done(standard: ReportInputs):
    said = methods(Results(standard)).replace("\N{NO-BREAK SPACE}", " ")
    for part in (
        "3 variants of demofs",
        "6 blocks were measured, 1 attempt voided",
        "4 × EPYC 9355P, 16.0 GiB",
        "`seq-write` is fio with rw=write, bs=128k",
        "inferno 0.12",
        "all passed",
        "at 95 %",
        "±5 %",
    ):
        assert part in said


def test_the_methods_claim_no_fresh_data_for_what_lies_outside_the_runs(standard: ReportInputs):
    results = Results(standard)
    assert "earlier runs" not in methods(results)
    marked = Results(standard)
    marked.runs = tuple(replace(run, record=replace(run.record, marks=(NOT_FRESH,))) for run in results.runs)
    assert "Not so the data of" in methods(marked)


def test_the_methods_name_the_version_of_a_program_that_was_installed(standard: ReportInputs):
    results = Results(standard)
    build, *others = results.builds
    results.builds = (replace(build, version="bindfs 1.14.7", revision=None), *others)
    assert "Programs: bindfs 1.14.7" in methods(results)


def test_every_flamegraph_is_there_to_click_to_print_and_to_draw_again(files):
    names = {
        name.rsplit(".", 1)[0] for name in files if name.startswith("flamegraphs/") and name.endswith(".svg")
    }
    assert "flamegraphs/waiting.seq-write.perf-oncpu.flamegraph" in names
    assert "flamegraphs/waiting-vs-baseline.seq-write.perf-oncpu" in names
    assert "flamegraphs/waiting.seq-write.jemalloc-heap.jeprof" in names
    for name in names:
        assert b"<svg" in files[f"{name}.svg"]
        assert files[f"{name}.pdf"].startswith(b"%PDF")
        assert "jeprof" in name or files[f"{name}.stacks.txt"].count(b";") > 1


def test_the_environment_names_machine_and_programs_once(files):
    found = json.loads(files["environment.json"])
    (machine,) = found["measured"]
    assert (machine["hostname"], machine["cpu_model"], machine["cpus"]) == ("bench-01", "EPYC 9355P", 4)
    assert machine["kernel"] == "Linux 6.18.2 x86_64"
    assert found["programs"]["inferno"].startswith("0.12")
    assert found["packed"]["python"]


def test_what_the_experiment_refers_to_and_what_is_pinned_come_along(files):
    assert files["targets/demofs/target.yaml"] == b"name: demofs\n"
    assert files["locks/requirements.txt"] == b"matplotlib==3.11.2\n"


def test_it_says_how_to_hand_the_bundle_to_another_machine(files):
    readme = files["README.md"].decode()
    assert "bundles/hidden-wait.zip" in readme
    assert "results/hidden-wait/reproduced.html" in readme


def test_a_table_as_long_as_many_blocks_goes_over_pages():
    rows = tuple((Cell(str(i)), Cell("text")) for i in range(latex.LONGEST + 1))
    columns = (Column("n", True), Column("note", wide=True))
    long, short = (latex.latex(Table("t", "c", columns, part)) for part in (rows, rows[:3]))
    assert r"\begin{longtable}{rp{5cm}}" in long
    assert r"\endhead" in long
    assert r"\begin{tabular}{rp{5cm}}" in short
    assert r"\resizebox" in short


def test_latex_sets_names_as_text():
    table = Table(
        "t",
        "Of `a_b`",
        (Column("n", True), Column("x")),
        ((Cell("−5\N{NO-BREAK SPACE}%"), Cell(r"\input{x}&")),),
    )
    text = latex.latex(table)
    assert r"\caption{Of \texttt{a\_b}}" in text
    assert r"$-$5~\% & \textbackslash{}input\{x\}\& \\" in text
    assert text.isascii()


def test_a_table_much_wider_than_a_page_is_set_on_a_turned_page_in_columns_that_wrap():
    words = ("a-long-name-of-a-variant", "12.5 to 13.7 MiB/s", "no difference shown, below threshold")
    columns = (*(Column(f"column {n}", numeric=n == 1) for n in range(6)), Column("note", wide=True))
    rows = ((*(Cell(words[n % 3]) for n in range(6)), Cell("many words " * 30)),) * 2
    text = latex.latex(Table("t", "c", columns, rows))
    assert text.startswith(r"\begin{landscape}")
    assert r"\resizebox" not in text
    shares = [float(share) for share in re.findall(r"p\{\\dimexpr([0-9.]+)\\linewidth", text)]
    assert len(shares) == 7
    assert 0.9 < sum(shares) <= 1.001
    assert max(shares) == shares[-1], "what is read as sentences wraps last"


HOSTILE = (
    "[blocked]",
    "*",
    "--meta",
    r"\input{x}",
    "100% of $HOME & a_b^c~d#1",
    "{",
    "`x",
    "\u4e2d \u2190 \u03bc \u00b5s \u00e9",
    "|<>|",
)


def test_latex_is_ascii_and_no_cell_is_read_as_a_command():
    texts = [latex.escaped(text) for text in HOSTILE]
    assert all(text.isascii() for text in texts)
    assert not [text for text in texts if text.startswith(("[", "*"))], (
        "behind the end of a row these are arguments"
    )
    assert latex.escaped("--meta") == "-{}-meta"
    assert latex.escaped("\u4e2d") == "U+4E2D"


@pytest.mark.skipif(
    not shutil.which("pdflatex"), reason="no LaTeX is installed (Debian: texlive-latex-recommended)"
)
@pytest.mark.parametrize("inputs", ["standard", "awkward"])
def test_latex_sets_every_table_within_its_page(inputs: str, request: pytest.FixtureRequest, tmp_path: Path):
    results = Results(request.getfixturevalue(inputs))
    columns = (Column("cell"), Column("note", wide=True))
    rows = tuple((Cell(text), Cell(f"{text} " * 9)) for text in HOSTILE)
    tables = [
        *tables_of(results, Carrier(tmp_path / "x")),
        Table("hostile", "Cells of all kinds", columns, rows),
    ]
    for table in tables:
        (tmp_path / f"{table.key}.tex").write_text(latex.latex(table))
    body = "\n".join(rf"\input{{{table.key}}}\clearpage" for table in tables)
    packages = ",".join(latex.PACKAGES)
    (tmp_path / "all.tex").write_text(
        rf"\documentclass{{article}}\usepackage{{{packages}}}\begin{{document}}{body}\end{{document}}"
    )
    for _ in range(2):  # a long table learns its columns in the first
        done = subprocess.run(
            ["pdflatex", "-halt-on-error", "-interaction=nonstopmode", "all"],
            cwd=tmp_path, capture_output=True, text=True, errors="replace", check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-2000:]
    assert re.findall(r"^Overfull.*", (tmp_path / "all.log").read_text(errors="replace"), re.MULTILINE) == []


def test_a_bundle_compared_with_itself_holds(bundle: Path, standard: ReportInputs):
    found = reproduction(bundle, standard, bundle.parent)
    assert found.headline.replace("\N{NO-BREAK SPACE}", " ") == "2 of 2 verdicts held."
    assert found.warnings == ()


def test_a_verdict_that_is_another_word_here_did_not_hold(
    bundle: Path, standard: ReportInputs, tmp_path: Path
):
    changed = re.sub(r"\bslower\b", "faster", standard.comparisons.read_text())
    (tmp_path / "comparisons.csv").write_text(changed)
    found = reproduction(bundle, replace(standard, comparisons=tmp_path / "comparisons.csv"), bundle.parent)
    assert found.headline.replace("\N{NO-BREAK SPACE}", " ") == "0 of 2 verdicts held."
    assert {row[-1].text for row in found.table.rows} == {"did not hold"}


def repacked(bundle: Path, out: Path, name: str, old: bytes, new: bytes, *, sealed: bool = True) -> Path:
    """The bundle with `old` in one of its files replaced; `sealed`: with checksums that say so."""
    with zipfile.ZipFile(bundle) as archive:
        packed = {entry: archive.read(entry) for entry in archive.namelist()}
    assert old in packed[name]
    before = hashlib.sha256(packed[name]).hexdigest().encode()
    packed[name] = packed[name].replace(old, new)
    if sealed:
        after = hashlib.sha256(packed[name]).hexdigest().encode()
        packed["checksums.sha256"] = packed["checksums.sha256"].replace(before, after)
    with zipfile.ZipFile(out, "w") as archive:
        for entry, content in packed.items():
            archive.writestr(entry, content)
    return out


def test_what_is_not_as_it_was_packed_is_named(bundle: Path, standard: ReportInputs, tmp_path: Path):
    edited = repacked(bundle, tmp_path / "b.zip", "methods.md", b"blocks", b"blokcs", sealed=False)
    found = reproduction(edited, standard, bundle.parent)
    assert found.warnings == ("Not as the bundle was packed, by its own checksums: `methods.md`.",)


def test_another_target_and_another_revision_are_warned_about(
    bundle: Path, standard: ReportInputs, tmp_path: Path
):
    other = repacked(bundle, tmp_path / "1.zip", "targets/demofs/target.yaml", b"demofs", b"demofs2")
    [warning] = reproduction(other, standard, bundle.parent).warnings
    assert "`targets/demofs/target.yaml` here differs" in warning
    name = next(n for n in zipfile.ZipFile(bundle).namelist() if re.match("builds/.*release.*json", n))
    revision = json.loads(zipfile.ZipFile(bundle).read(name))["revision"].encode()
    other = repacked(bundle, tmp_path / "2.zip", name, revision, b"0" * 40)
    warnings = reproduction(other, standard, bundle.parent).warnings
    assert warnings
    assert all(
        f"there from revision {'0' * 12}, here from revision {revision.decode()[:12]}" in w for w in warnings
    )


def test_an_inconclusive_repetition_says_nothing(bundle: Path, standard: ReportInputs, tmp_path: Path):
    changed = re.sub(r"\bslower\b", "inconclusive", standard.comparisons.read_text())
    (tmp_path / "comparisons.csv").write_text(changed)
    found = reproduction(bundle, replace(standard, comparisons=tmp_path / "comparisons.csv"), bundle.parent)
    assert {row[-1].text for row in found.table.rows} == {"not decided here"}


def test_the_bundle_of_another_experiment_is_refused(bundle: Path, awkward: ReportInputs, tmp_path: Path):
    with pytest.raises(ValueError, match="is of the experiment hidden-wait"):
        write_reproduced(bundle, awkward, bundle.parent, tmp_path / "reproduced.html")


@pytest.mark.parametrize(
    ("name", "size", "many", "why"),
    [
        ("summary.json", 3 << 30, 1, "`summary.json` in it is of 3,072 MiB"),
        ("figures/a.svg", 65 << 20, 1, "`figures/a.svg` in it is of 65 MiB"),
        ("figures/a.svg", 60 << 20, 9, "unpacked it is of 540 MiB"),
        ("figures/a.svg", 0, 20_001, "20,001 files"),
    ],
)
def test_a_bundle_that_unpacks_to_more_than_it_can_need_is_not_unpacked(
    standard: ReportInputs, tmp_path: Path, monkeypatch, name, size, many, why
):
    """A zip file says how large its files are, and holds three gigabytes of nothing in three megabytes."""
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w") as archive:
        for number in range(many):
            entry = zipfile.ZipInfo(name if many == 1 else f"{number}-{name}")
            archive.writestr(entry, b"")
            entry.file_size = size  # as the directory at the end of the archive announces it
    monkeypatch.setattr(zipfile.ZipFile, "read", lambda *_: pytest.fail("nothing of it may be read"))
    with pytest.raises(ValueError, match=f"no bundle of fuselab: .*{re.escape(why)}"):
        reproduction(tmp_path / "bomb.zip", standard, tmp_path)


def test_the_reproduced_page_is_written(bundle: Path, standard: ReportInputs, tmp_path: Path):
    write_reproduced(bundle, standard, bundle.parent, tmp_path / "reproduced.html")
    text = (tmp_path / "reproduced.html").read_text()
    assert "verdicts held" in text
    assert not re.search(r"""\ssrc\s*=\s*["']?https?:""", text)
