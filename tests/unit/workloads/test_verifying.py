"""What a POSIX suite and random operations have found: a new failure by its name, and a known one not at all."""

from __future__ import annotations

import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from fuselab.errors import RigError
from fuselab.records.request import Load
from fuselab.rig import run
from fuselab.workloads.base import LoadContext
from fuselab.workloads.running import Ended
from fuselab.workloads.verifying import VERIFIERS, posix, random

SAID = (Path(__file__).resolve().parents[2] / "golden/posix/bindfs.txt").read_text()
BINDFS = [
    "link::*",
    "rename::preserve_metadata::*",
    "rename::to_multiply_linked::*",
    "unlink::update_ctime_success::*",
]


def test_every_case_of_the_suite_is_read() -> None:
    cases = list(posix.read_cases(SAID))
    summary = re.search(r"(\d+) failed, (\d+) skipped, (\d+) passed, .* (\d+) total", SAID)
    assert summary
    outcomes = [case.outcome for case in cases]
    counts = [outcomes.count(outcome) for outcome in ("FAILED", "skipped", "ok")]
    assert [*counts, len({case.name for case in cases})] == [int(number) for number in summary.groups()]


def test_a_new_failure_is_named_with_what_it_said_and_what_would_list_it() -> None:
    result = posix.judged(list(posix.read_cases(SAID)), BINDFS)
    assert result.exit_code == 1
    first, said, *_, last = (result.reason or "").splitlines()
    assert (
        first
        == "1 case of the POSIX suite fails that the target is not known to fail: `utimensat::utime_omit`"
    )
    assert said.startswith("utimensat::utime_omit: assertion `left == right` failed left: ")
    assert last == "known_failures: [utimensat::utime_omit]"
    assert not result.wrong_data


def test_a_target_that_lists_them_passes() -> None:
    assert posix.judged(list(posix.read_cases(SAID)), [*BINDFS, "utimensat::*"]).reason is None


def test_many_are_counted_and_not_all_named_in_the_first_line() -> None:
    first = (posix.judged(list(posix.read_cases(SAID)), []).reason or "").splitlines()[0]
    assert first.startswith("31 cases of the POSIX suite fail")
    assert first.endswith("and 26 more")


def test_a_suite_that_says_nothing_has_failed_and_not_passed(tmp_path: Path, monkeypatch) -> None:
    def reason(said: str) -> str:
        def ended(*_: object, **__: object) -> Ended:
            (tmp_path / posix.LOG).write_text(said)
            return Ended(1, False, "error: nobody: no such user")

        monkeypatch.setattr(posix, "finish", ended)
        monkeypatch.setattr(posix, "tool", str)
        context = LoadContext(tmp_path, (tmp_path,), tmp_path, tmp_path, tmp_path, Path())
        return VERIFIERS["posix"].run(context, ()).reason or ""

    assert reason("").startswith("the POSIX suite broke off before its first case: exit code 1:\n")
    assert "no such user" in reason("")
    assert "broke off behind `rename::einval`" in reason("unlink::fifo   ok\nrename::einval    ok\n")


@pytest.mark.parametrize(
    ("said", "wrong"),
    [
        ("[ERROR fsx] miscompare: offset= 0x7bb2, size = 0x3\n", True),
        ("[ERROR fsx] mapwrite: ENODEV\n", False),
    ],
)
def test_only_a_read_that_differs_is_wrong_data(said: str, wrong: bool) -> None:
    assert random.judged(1, said, "exit code 1").wrong_data is wrong


def test_an_operation_that_the_target_does_not_have_is_not_asked_for() -> None:
    text = random._config(["random::map*", "random::write"])
    assert "mapwrite = 0\n" in text
    assert "mapread = 0\n" in text
    assert "\nwrite = 10\n" in text, "without it there would be nothing to find"


def test_a_program_that_is_missing_is_said_before_anything_is_mounted(monkeypatch) -> None:
    monkeypatch.setattr(run, "tool_path", lambda _: None)
    load = Load("fio", "verify", {"ways": ("data", "posix")})
    request = SimpleNamespace(purpose="verify", load=load, mount=SimpleNamespace(service=None))
    with pytest.raises(RigError, match=r"`verify: \[posix\]` needs pjdfstest.*make setup-verify"):
        run.check(request)  # type: ignore[arg-type]
