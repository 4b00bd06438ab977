"""Blocks of two codes are not mixed; a comment is no code."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuselab import code
from fuselab.errors import RigError
from fuselab.records.request import RunRequest
from fuselab.rig.worker import _require_same_code

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
