"""How often something happened, from perf's recordings and its own counts: numbers by name, or why there are none."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from fuselab.analysis.perf.complaints import require_file
from fuselab.analysis.perf.tracepoints import Tracepoints, read_tracepoints
from fuselab.errors import ProfileError
from fuselab.system.tracefs import ENTER, SEND

_LOST = "a machine that is less busy loses none"


def count_syscalls(data: Path, names: Mapping[int, str]) -> dict[str, int]:
    """By name, from a recording by `syscalls_count_argv`. Raises ProfileError where perf has lost any."""
    recorded = _whole(data)
    return {names.get(number, f"syscall_{number}"): n for number, n in _by(recorded, ENTER, "id").items()}


def count_requests(data: Path) -> dict[str, int]:
    """By opcode, from a recording by `requests_count_argv`. Raises ProfileError where perf has lost any."""
    recorded = _whole(data)
    names = recorded.symbols.get(SEND, {})
    return {
        names.get(number, f"opcode {number}").removeprefix("FUSE_"): n
        for number, n in _by(recorded, SEND, "opcode").items()
    }


def count_totals(output: Path, names: Sequence[str]) -> dict[str, float | None]:
    """What `perf stat` has counted of events, by `names` in their order; None of what this machine cannot count."""
    require_file(output)
    lines = [line for line in output.read_text().splitlines() if line and not line.startswith("#")]
    values = [line.split(",", 1)[0] for line in lines]
    return {name: _value(value) for name, value in zip(names, values, strict=True)}


def _value(text: str) -> float | None:
    # Of a group of which nobody ran, perf says that it has not been counted.
    return None if text == "<not supported>" else 0.0 if text == "<not counted>" else float(text)


def _whole(data: Path) -> Tracepoints:
    require_file(data)
    recorded = read_tracepoints(data)
    if recorded.lost:
        raise ProfileError(f"perf lost {recorded.lost:,} records, so that not all were counted", _LOST)
    return recorded


def _by(recorded: Tracepoints, event: str, field: str) -> dict[int, int]:
    if event not in recorded.samples:
        return {}
    values, counts = np.unique(recorded.samples[event][field], return_counts=True)
    return dict(zip(values.tolist(), counts.tolist(), strict=True))
