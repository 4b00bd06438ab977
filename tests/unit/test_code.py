"""Blocks of two codes are not mixed; a comment is no code."""

from __future__ import annotations

import ast
import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from pathlib import Path

import pytest

from fuselab import code
from fuselab.errors import RigError
from fuselab.records.request import RunRequest
from fuselab.rig.worker import _require_same_code

Edit = Callable[..., AbstractContextManager[None]]

MODULE = '"""What it is."""\n\n\ndef wait() -> float:\n    """How long."""\n    return 0.5  # s\n'


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(code, "PACKAGE", tmp_path)
    modules = ["system/x.py", "records/x.py", "measuring/verify.py"]
    for name in ("rig/run.py", "workloads/fio.py", "profilers/perf.py", *modules):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(MODULE)
    (tmp_path / "rig/load.py").write_text("from fuselab.workloads import fio\n")
    (tmp_path / "profilers/__init__.py").write_text("from fuselab.profilers import perf\n")
    return tmp_path


def after(package: Path, name: str, text: str, purpose: str = "timed") -> tuple[str, str]:
    """The hash before and after a module has become `text`."""
    found = []
    for _ in range(2):
        code.forget()
        found.append(code.measuring_code(purpose))
        (package / name).write_text(text)
    code.forget()
    return found[0], found[1]


@pytest.mark.parametrize(
    "text", [MODULE.replace("# s", "# seconds"), MODULE.replace("How", "Just how"), MODULE + "\n\n# end\n"]
)
def test_words_about_the_code_are_no_code(package: Path, text: str) -> None:
    first, second = after(package, "rig/run.py", text)
    assert first == second


def test_what_another_package_registers_measures_and_makes_too(
    package: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, script = tmp_path_factory.mktemp("others"), package / "process.py"
    (folder / "theirs-1.dist-info").mkdir()
    (folder / "theirs-1.dist-info/entry_points.txt").write_text("[fuselab.profilers]\nt = theirs.look:Look\n")
    (folder / "theirs").mkdir()
    (folder / "theirs/__init__.py").touch()
    (folder / "theirs/look.py").write_text(MODULE)
    script.write_text(MODULE)
    monkeypatch.syspath_prepend(folder)

    def hashes() -> list[str]:
        code.forget()
        return [code.measuring_code("timed"), code.step_code(script)]

    first = hashes()
    (folder / "theirs/look.py").write_text(MODULE.replace("# s", "# seconds"))
    assert hashes() == first
    (folder / "theirs/look.py").write_text(MODULE.replace("0.5", "0.6"))
    assert not set(hashes()) & set(first)
    code.forget()


@pytest.mark.parametrize("name", ["rig/run.py", "workloads/fio.py", "measuring/verify.py", "rig/new.py"])
def test_an_edit_of_what_measures_is_another_code(package: Path, name: str) -> None:
    first, second = after(package, name, MODULE.replace("0.5", "0.6"))
    assert first != second


def test_profilers_are_part_of_what_is_looked_at_alone(package: Path) -> None:
    edited = MODULE.replace("0.5", "0.6")
    first, second = after(package, "profilers/perf.py", edited)
    assert first == second
    (package / "profilers/perf.py").write_text(MODULE)
    first, second = after(package, "profilers/perf.py", edited, "capture")
    assert first != second


def test_a_run_that_other_code_was_to_make_is_refused_with_the_mend() -> None:
    code.forget()
    request = RunRequest("timed", "e", None, None, "", "", "", code="of a minute ago")  # type: ignore[arg-type]
    with pytest.raises(RigError, match="call again"):
        _require_same_code(request)


ROOT = Path(__file__).parents[2]
STEPS = re.findall(r'lab\.code\("(\w+)"\)', "".join(path.read_text() for path in ROOT.glob("rules/*.smk")))


@pytest.fixture(scope="module")
def scripts(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of scripts/ and tools/, to be edited."""
    root = tmp_path_factory.mktemp("checkout")
    for folder in ("scripts", "tools"):
        shutil.copytree(ROOT / folder, root / folder, ignore=shutil.ignore_patterns("__pycache__", "target"))
    return root / "scripts"


@pytest.fixture
def edited(scripts: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Edit]:
    monkeypatch.setattr(code, "PACKAGE", scripts / "fuselab")

    @contextmanager
    def edit(path: Path, line: str = "\nEDITED = True\n") -> Iterator[None]:
        before = path.read_text()
        path.write_text(before + line)
        code.forget(path)
        yield
        path.write_text(before)
        code.forget(path)

    code.forget()
    yield edit
    code.forget()


@cache
def imported(scripts: Path, module: Path) -> set[Path]:
    """Files of what a module imports, also in its functions, found by a reading of its own."""
    tree = ast.parse(module.read_text())
    checks = (node for node in ast.walk(tree) if isinstance(node, ast.If))
    unused = (node for check in checks if ast.unparse(check.test) == "TYPE_CHECKING" for node in check.body)
    never = {id(inner) for node in unused for inner in ast.walk(node)}
    froms = (node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and id(node) not in never)
    names = {
        name
        for node in froms
        for name in (f"{node.module}", *(f"{node.module}.{a.name}" for a in node.names))
    }
    places = [scripts.joinpath(*name.split(".")) for name in names]
    files = {file for place in places for file in (place.with_suffix(".py"), place / "__init__.py")}
    return {file for file in files if file.is_file()}


def modules_of(scripts: Path, step: str) -> set[Path]:
    found: set[Path] = set()
    ahead = imported(scripts, scripts / f"{step}.py")
    while ahead:
        found |= ahead
        ahead = set().union(*(imported(scripts, module) for module in ahead)) - found
    return found


def test_every_rule_with_a_code_asks_for_that_of_its_own_script() -> None:
    rules = "".join(path.read_text() for path in ROOT.glob("rules/*.smk"))
    asked = re.findall(r'lab\.code\("(\w+)"\).*?script:\n +"\.\./scripts/(\w+)\.py"', rules, re.DOTALL)
    assert len(asked) == len(STEPS) > 10
    assert [step for step, script in asked if step != script] == []


def test_a_step_is_made_again_when_any_module_that_it_uses_is_edited(scripts: Path, edited: Edit) -> None:
    used = {step: modules_of(scripts, step) for step in STEPS}
    before = {step: code.step_code(scripts / f"{step}.py") for step in STEPS}
    missed = []
    for module in sorted(set().union(*used.values())):
        with edited(module):
            users = (step for step in STEPS if module in used[step])
            missed += [(module.name, s) for s in users if code.step_code(scripts / f"{s}.py") == before[s]]
    assert len(used["report"]) > 50
    assert missed == []


@pytest.mark.parametrize(
    ("step", "file"),
    [
        ("report", "fuselab/report/templates/report.html.j2"),
        ("process", "../tools/spans/src/main.rs"),
        ("process", "../tools/names/src/main.rs"),
        ("compare", "compare.py"),
    ],
)
def test_a_step_is_made_again_when_what_it_reads_is_edited(
    scripts: Path, edited: Edit, step: str, file: str
) -> None:
    before = code.step_code(scripts / f"{step}.py")
    with edited(scripts / file):
        assert code.step_code(scripts / f"{step}.py") != before


@pytest.mark.parametrize("step", ["metrics", "compare", "look", "costs"])
@pytest.mark.parametrize("file", ["analysis/folded.py", "report/words.py", "workflow/layout.py"])
def test_what_judges_knows_nothing_of_what_draws(scripts: Path, edited: Edit, step: str, file: str) -> None:
    before = code.step_code(scripts / f"{step}.py")
    with edited(scripts / "fuselab" / file):
        assert code.step_code(scripts / f"{step}.py") == before


def test_a_comment_makes_nothing_again(scripts: Path, edited: Edit) -> None:
    before = code.step_code(scripts / "compare.py")
    with edited(scripts / "fuselab/jobs/compare.py", "\n# a remark\n"):
        assert code.step_code(scripts / "compare.py") == before


@pytest.mark.parametrize(
    "room", ["analysis", "report", "compare", "queries", "history", "experiment", "workflow", "jobs"]
)
def test_no_edit_of_what_comes_after_a_measurement_measures_anew(
    scripts: Path, edited: Edit, room: str
) -> None:
    before = code.measuring_code("capture")
    for module in (scripts / "fuselab" / room).rglob("*.py"):
        with edited(module):
            assert code.measuring_code("capture") == before, module


@pytest.mark.parametrize(
    "module", ["rig/init.py", "rig/worker.py", "workloads/fio/kind.py", "system/process.py"]
)
def test_an_edit_of_the_rig_measures_anew(scripts: Path, edited: Edit, module: str) -> None:
    before = code.measuring_code("timed")
    with edited(scripts / "fuselab" / module):
        assert code.measuring_code("timed") != before
