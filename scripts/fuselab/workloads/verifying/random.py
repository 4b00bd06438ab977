"""`verify: [random]`: fsx writes, reads, maps and cuts one file at random, and holds each read against memory."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from fuselab.programs import Program, tool
from fuselab.workloads.base import LoadContext, LoadResult
from fuselab.workloads.running import finish
from fuselab.workloads.verifying.base import SETUP, Verifier, is_known

PROGRAM = Program("fsx", ("--version",), "does the random operations of `verify: [random]`", False, SETUP)
LOG = "random.log"
OPERATIONS, SEED = 5000, 1
_CONFIG = "random.toml"
_TIMEOUT_S = 600.0
_WEIGHTS = {
    "read": 10,
    "write": 10,
    "mapread": 10,
    "mapwrite": 10,
    "truncate": 10,
    "fsync": 1,
    "close_open": 1,
}
_NEEDED = ("read", "write")
"""Without these nothing would be found."""


class Random(Verifier):
    name = "random"
    session = "random"
    seconds = 10.0
    program = PROGRAM

    def run(self, context: LoadContext, known: Sequence[str]) -> LoadResult:
        (context.out / _CONFIG).write_text(_config(known))
        argv = [
            tool(PROGRAM.name), "-f", str(context.out / _CONFIG), "-N", str(OPERATIONS), "-S", str(SEED),
            "-P", str(context.out), str(context.directory / "fsx"),
        ]  # fmt: skip
        ended = finish(argv, context, cwd=context.scratch, log=LOG, timeout_s=_TIMEOUT_S)
        if ended.exit_code == 0 and not ended.timed_out:
            return LoadResult(0)
        said = (context.out / LOG).read_text(errors="replace")
        return judged(ended.exit_code, said, ended.words(_TIMEOUT_S))

    def found(self, run: Path) -> str:
        return f"{OPERATIONS:,} random operations"


def judged(exit_code: int, said: str, ended: str) -> LoadResult:
    """A read that differs from what was written is wrong data; any other end is what it says."""
    if "miscompare" in said.lower():
        return LoadResult(
            exit_code,
            f"of {OPERATIONS:,} random operations, a read found what was not written: {ended}",
            wrong_data=True,
        )
    return LoadResult(
        exit_code,
        f"random operations on one file: {ended}\nOperations that the target does not have stand in its target.yaml: "
        "known_failures: [random::mapwrite]",
    )


def _config(known: Sequence[str]) -> str:
    """An operation that the target is known not to have is not asked for."""
    weights = {
        name: 0 if name not in _NEEDED and is_known(f"random::{name}", known) else weight
        for name, weight in _WEIGHTS.items()
    }
    return "flen = 262144\n[weights]\n" + "".join(f"{name} = {weight}\n" for name, weight in weights.items())
