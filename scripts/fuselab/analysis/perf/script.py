"""The text of `perf script`, read as a stream and fast: a block of text per sample, parsed once per distinct stack.

Lines look like this (perf 6.1, `--ns`), a stack being ended by an empty line:

    comm  pid/tid  seconds.ns:  period event: [trace fields]
    <TAB>   address symbol (module)
    comm  pid/tid  seconds.ns: PERF_RECORD_SWITCH OUT preempt
"""

from __future__ import annotations

import re
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from fuselab.analysis.perf.complaints import explain, require_file
from fuselab.analysis.perf.leaf_callers import read_leaf_callers
from fuselab.analysis.perf.mappings import modules_of
from fuselab.analysis.perf.stacks import RawStack
from fuselab.analysis.symbols.symbolizer import Symbols

_CHUNK_BYTES = 1 << 20
_FIELDS = "comm,pid,tid,time,event,period,ip,sym,dso"
"""Bare addresses: for user code perf prints the file offset in the module, and never looks for inlines."""
_HEADER = re.compile(r"^\s*(.*?)\s+(-?\d+)/(-?\d+)\s+(\d+)\.(\d{9}):\s*(.*)$")
"""With all nine digits of the time, which are more than a thread's name has room for: it may hold anything else."""
_EVENT = re.compile(r"^(\d+)\s+(\S+?):(?=\s|$)\s*(.*)$")
_LOST = re.compile(r"PERF_RECORD_LOST(?:_SAMPLES)?\b.*?(?:lost\s+)?(\d+)\s*$")
_NO_STACK = RawStack("")


@dataclass(frozen=True, slots=True)
class Header:
    """The first line of a sample, or the line of another record."""

    comm: str
    pid: int
    tid: int
    time_ns: int
    rest: str
    """What follows the time: `period event: ...` for a sample, `PERF_RECORD_...` for other records."""

    @property
    def is_record(self) -> bool:
        return self.rest.startswith("PERF_RECORD_")

    @property
    def is_sample(self) -> bool:
        """Not a record, and not the bare line of an event that only copies stacks."""
        return bool(self.rest) and not self.is_record

    def event(self) -> tuple[int, str, str]:
        """(period, event name, the tracepoint's fields) of a sample; a ValueError if it is none."""
        if match := _EVENT.match(self.rest):
            return int(match[1]), match[2], match[3]
        raise ValueError(f"not a sample of perf script: {self.rest[:80]!r}")

    def lost(self) -> int:
        """Samples or switches that a record says the kernel could not store; 0 for other records."""
        match = _LOST.search(self.rest)
        return int(match[1]) if match else 0


def oncpu_script_argv(perf: str, data: Path) -> list[str]:
    """`perf script` of an on-CPU recording."""
    # The tracepoint beside the clock is read by `stack_tops`: here its header line is enough.
    return [*_script(perf, data), "-F", f"sw:{_FIELDS}", "-F", "trace:comm,pid,tid,time"]


def offcpu_script_argv(perf: str, data: Path) -> list[str]:
    """`perf script` of an off-CPU recording: also switches, and the tracepoint's own fields (prev_state)."""
    fields = ["-F", f"trace:{_FIELDS},trace", "-F", "sw:comm,pid,tid,time"]
    return [*_script(perf, data), *fields, "--show-switch-events", "--show-task-events"]


def _script(perf: str, data: Path) -> list[str]:
    options = ["--no-inline", "--ns", "--show-lost-events"]
    # `-f`: a capture processed by another user than root is not owned by the reader.
    return [perf, "script", "-i", str(data), "-f", *options]


def read_script(argv: Sequence[str], data: Path, symbols: Symbols) -> Iterator[tuple[Header, RawStack]]:
    """Every line of `perf script` that begins a sample or is another record; a sample with its stack.

    `argv` is the command that prints `data`. Raises ProfileError for a file that is missing, empty or cut.
    """
    require_file(data)
    modules = modules_of(data, symbols)
    missed = read_leaf_callers(data, modules, symbols)
    for heads, stack in read_blocks(run(argv)):
        for header in filter(None, map(parse_header, heads)):
            if header.is_sample:
                now = header.time_ns
                yield header, RawStack(stack, missed.at(header.tid, now), modules.at(header.pid, now))
            else:
                yield header, _NO_STACK


def parse_header(line: str) -> Header | None:
    """A header line, or None where perf printed something else (a warning between the samples)."""
    if match := _HEADER.match(line):
        comm, pid, tid, seconds, fraction, rest = match.groups()
        return Header(comm, int(pid), int(tid), int(seconds) * 10**9 + int(fraction.ljust(9, "0")), rest)
    return None


def read_blocks(chunks: Iterator[str]) -> Iterator[tuple[Sequence[str], str]]:
    """(header lines, stack text) per block. Only the last header line of a block owns the stack, if there is one.

    The stack text is kept as perf printed it, leaf first: equal stacks are equal strings, so callers count
    strings and parse each distinct one once.
    """
    rest = ""
    for chunk in chunks:
        blocks = (rest + chunk).split("\n\n")
        rest = blocks.pop()
        for block in blocks:
            head, _, stack = block.partition("\n\t")
            yield head.lstrip("\n").split("\n"), stack
    if rest.strip():
        head, _, stack = rest.rstrip("\n").partition("\n\t")
        yield head.lstrip("\n").split("\n"), stack


def run(argv: Sequence[str]) -> Iterator[str]:
    """The output of perf script in large pieces. Raises ProfileError with the meaning of perf's words if it fails."""
    with tempfile.TemporaryFile("w+") as errors:
        with subprocess.Popen(
            argv, stdout=subprocess.PIPE, stderr=errors, text=True, errors="replace"
        ) as process:
            assert process.stdout is not None
            try:
                while chunk := process.stdout.read(_CHUNK_BYTES):
                    yield chunk
            except GeneratorExit:
                process.kill()
                raise
        if process.returncode != 0:
            errors.seek(0)
            raise explain(errors.read())
