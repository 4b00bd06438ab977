"""Times, sizes and shares as people read them on a terminal; `report.words` sets them for a page."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping


def duration(seconds: float) -> str:
    """`3.2 s`, `4 min 10 s`, `2 h 5 min`."""
    if seconds < 0:
        return f"-{duration(-seconds)}"
    if 0 < seconds < 1e-4:
        return f"{seconds * 1e9:.3g} ns" if seconds < 1e-6 else f"{seconds * 1e6:.3g} µs"
    if 0 < seconds < 0.1:
        return f"{seconds * 1e3:.3g} ms"
    if seconds < 60:
        return f"{seconds:.3g} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes = round(seconds / 60)
    if seconds < 600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    return f"{minutes} min" if minutes < 120 else f"{minutes // 60} h {minutes % 60} min"


def figure(name: str, value: object) -> str:
    """A value of a record by the unit in its name: `load_s`, `dirty_before_bytes`, `steal_share`, `psi_cpu_us`."""
    if value is None or value == "":
        return "unavailable"
    if not isinstance(value, int | float):
        return str(value)
    unit = name.rsplit("_", 1)[-1]
    words: dict[str, Callable[[float], str]] = {
        "s": duration,
        "us": lambda v: duration(v / 1e6),
        "bytes": size,
        "share": lambda v: percent(v, 1),
        "hz": lambda v: f"{v / 1e9:.2f} GHz",
        "c": lambda v: f"{v:.0f} °C",
    }
    return words[unit](value) if unit in words else f"{value:.4g}"


def with_unit(value: float, unit: str) -> str:
    """A figure in `ns`, `us`, `ms`, `s`, `bytes`, `B`, `B/s`, `share` or any other unit, as people read it."""
    seconds = {"ns": 1e-9, "us": 1e-6, "ms": 1e-3, "s": 1.0}
    if unit in seconds:
        return duration(value * seconds[unit])
    if unit in ("bytes", "B", "B/s"):
        return f"{'-' if value < 0 else ''}{size(abs(value))}{'/s' if unit == 'B/s' else ''}"
    if unit == "share":
        return percent(value, 1)
    return f"{value:,.6g}" if unit in ("1", "count") else f"{value:,.6g} {unit}"


def grouped(said: Mapping[str, str]) -> dict[str, list[str]]:
    """Text -> the names of which it is said: what holds for several is told once."""
    found: dict[str, list[str]] = {}
    for name, text in said.items():
        found.setdefault(text, []).append(name)
    return found


def by_factor(ratio: float, low: float, high: float) -> bool:
    """Whether an estimate and its interval are told as factors: where any of it is a doubling or a halving."""
    return max(ratio, high) >= 2 or min(ratio, low) <= 0.5


def cpus(numbers: Collection[int]) -> str:
    """`CPU 3`, or `CPUs 0, 1`."""
    return f"CPU{'s' if len(numbers) > 1 else ''} {', '.join(map(str, sorted(numbers)))}"


def percent(share: float, decimals: int = 0) -> str:
    """`12 %` of 0.12."""
    return f"{share * 100:.{decimals}f} %"


def size(count: float) -> str:
    """`512 B`, `3.1 MB`, `2.0 GB`: thousands, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    raise AssertionError("unreachable")
