"""How often a bench ran in all, its warm-up included: what a profile of the whole process is divided by.

`sample.json` has the iterations that were timed. Of the warm-up Criterion says for how long it was meant to go on and,
in the estimate of what comes next, how long one iteration took. It doubles 1, 2, 4, ... until the time is over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from fuselab import foreign

_UNITS_S = {"s": 1.0, "ms": 1e-3, "\N{MICRO SIGN}s": 1e-6, "us": 1e-6, "ns": 1e-9, "ps": 1e-12}
_TIME = r"([\d.]+)\s*(\S?s)"
_WARMING = re.compile(rf"Benchmarking (.+): Warming up for {_TIME}")
_COLLECTING = re.compile(rf"Benchmarking (.+): Collecting \d+ samples in estimated {_TIME} \(")


@dataclass(frozen=True)
class Iterations:
    """Of one bench."""

    bench: str
    """Its id, as it wrote it."""
    timed: int
    timed_ns: float
    """How long those took together."""
    warm_up: int

    @property
    def count(self) -> int:
        return self.timed + self.warm_up

    @property
    def mean_ns(self) -> float:
        return self.timed_ns / self.timed


def read_iterations(home: Path, log: Path) -> tuple[Iterations, ...]:
    """Of every bench that was measured, from Criterion's files below `home` and from what it said."""
    said = log.read_text(errors="replace") if log.is_file() else ""
    found = (_read(samples, said) for samples in sorted(home.rglob("new/sample.json")))
    return tuple(each for each in found if each is not None)


def _read(samples: Path, said: str) -> Iterations | None:
    """None where Criterion did not say what its warm-up was: the sum is not known."""
    bench = str(json.loads(samples.with_name("benchmark.json").read_text())["full_id"])
    data = json.loads(samples.read_text())
    timed = round(sum(data["iters"]))
    meant_s, estimated_s = _said(_WARMING, said, bench), _said(_COLLECTING, said, bench)
    if not timed or not meant_s or not estimated_s:
        return None
    each_s = estimated_s / timed
    doubled = next(total for total in _doubling() if total * each_s > meant_s)
    return Iterations(foreign.name(bench), timed, float(sum(data["times"])), doubled)


def _said(pattern: re.Pattern[str], text: str, bench: str) -> float | None:
    return next((float(m[2]) * _UNITS_S.get(m[3], 0) for m in pattern.finditer(text) if m[1] == bench), None)


def _doubling() -> Iterator[int]:
    """1, 3, 7, ...: the sums of 1, 2, 4, ..."""
    total = 1
    while True:
        yield total
        total = 2 * total + 1
