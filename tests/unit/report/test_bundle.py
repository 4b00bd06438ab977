"""The paper bundle, and the page that says which of its verdicts held."""

import hashlib
import json
import re
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.report import latex
from fuselab.report.bundle import write_bundle
from fuselab.report.context import Cell, Column, Table
from fuselab.report.inputs import ReportInputs
from fuselab.report.methods import methods
from fuselab.report.reading import Results
from fuselab.report.reproduced import reproduction, write_reproduced


@pytest.fixture(scope="module")
def bundle(standard: ReportInputs, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bundle")
    (folder / "requirements.txt").write_text("matplotlib==3.11.2\n")
    write_bundle(standard, [folder / "requirements.txt"], folder / "bundle.zip")
    return folder / "bundle.zip"


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
    write_bundle(standard, [bundle.with_name("requirements.txt")], again)
    assert again.read_bytes() == bundle.read_bytes()


def test_the_methods_say_what_was_done(standard: ReportInputs):
    said = methods(Results(standard)).replace("\N{NO-BREAK SPACE}", " ")
    for part in (
        "3 variants of demofs",
        "6 blocks measured, 1 attempt voided",
        "all passed",
        "at 95 %",
        "±5 %",
    ):
        assert part in said


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


def test_a_bundle_compared_with_itself_holds(bundle: Path, standard: ReportInputs):
    found = reproduction(bundle, standard)
    assert found.headline.replace("\N{NO-BREAK SPACE}", " ") == "2 of 2 verdicts held."
    assert found.warnings == ()


def test_a_verdict_that_is_another_word_here_did_not_hold(
    bundle: Path, standard: ReportInputs, tmp_path: Path
):
    changed = re.sub(r"\bslower\b", "faster", standard.comparisons.read_text())
    (tmp_path / "comparisons.csv").write_text(changed)
    found = reproduction(bundle, replace(standard, comparisons=tmp_path / "comparisons.csv"))
    assert found.headline.replace("\N{NO-BREAK SPACE}", " ") == "0 of 2 verdicts held."
    assert {row[-1].text for row in found.table.rows} == {"did not hold"}


def test_an_inconclusive_repetition_says_nothing(bundle: Path, standard: ReportInputs, tmp_path: Path):
    changed = re.sub(r"\bslower\b", "inconclusive", standard.comparisons.read_text())
    (tmp_path / "comparisons.csv").write_text(changed)
    found = reproduction(bundle, replace(standard, comparisons=tmp_path / "comparisons.csv"))
    assert {row[-1].text for row in found.table.rows} == {"not decided here"}


def test_the_bundle_of_another_experiment_is_refused(bundle: Path, awkward: ReportInputs, tmp_path: Path):
    with pytest.raises(ValueError, match="is of the experiment hidden-wait"):
        write_reproduced(bundle, awkward, tmp_path / "reproduced.html")


def test_the_reproduced_page_is_written(bundle: Path, standard: ReportInputs, tmp_path: Path):
    write_reproduced(bundle, standard, tmp_path / "reproduced.html")
    text = (tmp_path / "reproduced.html").read_text()
    assert "verdicts held" in text
    assert not re.search(r"""\ssrc\s*=\s*["']?https?:""", text)
