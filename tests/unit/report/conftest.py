"""One made-up results tree for all tests of the report, and the page made from it."""

from pathlib import Path

import pytest
from tests.unit.report.fixture import make, shaped

from fuselab.report.inputs import ReportInputs, find
from fuselab.report.page.render import write_report
from fuselab.report.reading import Results


@pytest.fixture(scope="session")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`results/` with the shapes `standard` and `awkward`, few blocks."""
    results = tmp_path_factory.mktemp("report") / "results"
    for name in ("standard", "awkward"):
        make(results, shaped(name, blocks=6))
    return results


@pytest.fixture(scope="session")
def standard(tree: Path) -> ReportInputs:
    return find(tree, tree.parent / "experiments" / "hidden-wait.yaml", "hidden-wait")


@pytest.fixture(scope="session")
def awkward(tree: Path) -> ReportInputs:
    return find(tree, tree.parent / "experiments" / "awkward.yaml", "awkward")


@pytest.fixture(scope="session")
def results(standard: ReportInputs) -> Results:
    return Results(standard)


@pytest.fixture(scope="session")
def standard_page(standard: ReportInputs) -> Path:
    out = standard.folder / "report.html"
    write_report(standard, out)
    return out


@pytest.fixture(scope="session")
def awkward_page(awkward: ReportInputs) -> Path:
    out = awkward.folder / "report.html"
    write_report(awkward, out)
    return out
