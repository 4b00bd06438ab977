"""`verify: [posix]`: pjdfstest, a POSIX test suite for filesystems, whose every case has a name.

It needs two accounts to change to; as root those that every system has. Without root, or where the run has one account
only, the cases that need root are skipped by the suite, and counted.
"""

from __future__ import annotations

import grp
import os
import pwd
import re
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.programs import Program, tool
from fuselab.system.namespaces import all_accounts_mapped
from fuselab.workloads.base import LoadContext, LoadResult
from fuselab.workloads.running import finish
from fuselab.workloads.verifying.base import SETUP, Verifier, is_known, some

PROGRAM = Program("pjdfstest", ("--version",), "is the POSIX test suite of `verify: [posix]`", False, SETUP)
LOG = "posix.log"
_CONFIG = "posix.toml"
_TIMEOUT_S = 900.0
_HERE = "/proc/self/cwd"
"""The mount by a path that is short enough for sockets (107 characters), and that no folder above it closes to other
accounts, as one's home is."""
_ACCOUNTS = ("nobody", "daemon", "bin")
_CASE = re.compile(r"^(\S+::\S+|\S+)[ ]+(ok|FAILED|skipped)$")
_SAID_LINES = 4
_ENDED = re.compile(r"^Summary: ", re.MULTILINE)


@dataclass(frozen=True)
class Case:
    """One case of the suite: `unlink::symlink`, how it ended, and what it said."""

    name: str
    outcome: str
    said: str = ""


class Posix(Verifier):
    name = "posix"
    session = "posix"
    seconds = 20.0
    program = PROGRAM

    def run(self, context: LoadContext, known: Sequence[str]) -> LoadResult:
        (context.out / _CONFIG).write_text(_config())
        argv = [tool(PROGRAM.name), "-c", str(context.out / _CONFIG), "-p", _HERE]
        ended = finish(
            [*_without_root(), *argv],
            context,
            cwd=context.directory,
            log="posix.errors.log",
            output=LOG,
            timeout_s=_TIMEOUT_S,
            env={"NO_COLOR": "1"},
        )
        said = (context.out / LOG).read_text(errors="replace")
        cases = list(read_cases(said))
        if ended.timed_out or not _ENDED.search(said):
            place = f"behind `{cases[-1].name}`" if cases else "before its first case"
            return LoadResult(
                ended.exit_code or 1, f"the POSIX suite broke off {place}: {ended.words(_TIMEOUT_S)}"
            )
        return judged(cases, known)

    def found(self, run: Path) -> str:
        cases = list(read_cases((run / LOG).read_text(errors="replace")))
        counts = {
            word: sum(case.outcome == outcome for case in cases)
            for word, outcome in (("passed", "ok"), ("failed as listed", "FAILED"), ("skipped", "skipped"))
        }
        return f"POSIX suite: {', '.join(f'{number} {word}' for word, number in counts.items() if number)}"


def read_cases(text: str) -> Iterator[Case]:
    """Every case in the suite's output, with the first lines of what stands below it."""
    case: Case | None = None
    said: list[str] = []
    for line in [*_ENDED.split(text)[0].splitlines(), "end ok"]:
        if match := _CASE.fullmatch(line):
            if case is not None:
                yield Case(case.name, case.outcome, " ".join(said[:_SAID_LINES]))
            case, said = Case(match[1], match[2]), []
        elif line.strip():
            said.append(line.strip())


def judged(cases: Sequence[Case], known: Sequence[str]) -> LoadResult:
    """Failed, with the names, if a case fails that the target is not known to fail."""
    new = [case for case in cases if case.outcome == "FAILED" and not is_known(case.name, known)]
    if not new:
        return LoadResult(0)
    names = sorted(case.name for case in new)
    cases_fail = (
        "1 case of the POSIX suite fails" if len(new) == 1 else f"{len(new)} cases of the POSIX suite fail"
    )
    lines = [
        f"{cases_fail} that the target is not known to fail: {some(names)}",
        *(f"{case.name}: {case.said}" for case in sorted(new, key=lambda case: case.name)),
        "If it is meant to fail them, its target.yaml says so:",
        f"known_failures: [{', '.join(names)}]",
    ]
    return LoadResult(1, "\n".join(lines))


def _config() -> str:
    accounts = ", ".join(f'["{user}", "{group}"]' for user, group in _accounts())
    return (
        "[features]\nposix_fallocate = {}\nutime_now = {}\nutimensat = {}\n"
        f"[settings]\nnaptime = 0.01\nallow_remount = false\n[dummy_auth]\nentries = [{accounts}]\n"
    )


def _accounts() -> list[tuple[str, str]]:
    """Two accounts of the machine that are not root, each with its own group."""
    found = []
    for name in _ACCOUNTS:
        with suppress(KeyError):
            found.append((name, grp.getgrgid(pwd.getpwnam(name).pw_gid).gr_name))
    return found[:2]


def _without_root() -> list[str]:
    """Where there is no account to change to, root in name only: the suite then leaves out what needs it."""
    if os.geteuid() != 0 or all_accounts_mapped():
        return []
    return ["unshare", "--user", "--map-user=65534", "--map-group=65534", "--"]
