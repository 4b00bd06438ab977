"""A fio load that does a fixed amount of work: what is counted of it is then the same whoever is slower."""

from __future__ import annotations

import re
from collections.abc import Sequence

from fuselab.workloads.base import Fixed, Settings
from fuselab.workloads.fio import timing
from fuselab.workloads.fio.timing import Options

MOST_IOS = 1000
MOST_BYTES = 32 << 20
"""Of all jobs together: some 0.3 s on filesystems of usual speed, and 1 s beside ten other programs."""
MOST_SYNCS = 100
"""A disk may take 5 ms for each, and 75 where others write to it."""
_SECONDS = 0.5
_UNBOUNDED = frozenset(
    (
        "runtime", "timeout", "time_based", "ramp_time", "io_size", "number_ios", "loops",
        "rate", "rate_min", "rate_iops", "rate_iops_min", "rate_process", "rate_cycle", "rate_ignore_thinktime",
    )
)  # fmt: skip
"""What says how long a job goes on, or how fast it may be."""
_SIZE = re.compile(r"([0-9]+)([kmgt]?)(i?b)?", re.IGNORECASE)


def fixed(settings: Settings, beside: Sequence[Settings] = ()) -> Fixed:
    """The load as it is where it does little; else with a bound on what each job moves, and none on its time.

    One bound for it and those `beside` it: where one of them syncs what it writes, it is small.
    """
    most_ios = min(
        _most_ios(job) for each in (settings, *beside) for job in timing.complete_jobs(each).values()
    )
    jobs = timing.complete_jobs(settings)
    clones = sum(_clones(job) for job in jobs.values())
    bounds = {name: _most_bytes(job, most_ios, clones) for name, job in jobs.items()}
    if all(_is_little(job, bounds[name]) for name, job in jobs.items()):
        return Fixed(settings, _SECONDS, work=_nameless(settings))
    own = settings["jobs"]
    twin = {
        **settings,
        "global": _without_end(settings.get("global", {})),
        "jobs": {name: {**_without_end(own[name]), "io_size": str(bounds[name])} for name in own},
    }
    return Fixed(twin, _SECONDS, _words(jobs, bounds), _nameless(twin))


def _nameless(settings: Settings) -> Settings:
    """Without what jobs are called: a point of a sweep gives its job a name of its own."""
    return {**settings, "jobs": [*settings["jobs"].values()]}


def _without_end(options: Options) -> dict[str, str]:
    return {name: value for name, value in options.items() if name not in _UNBOUNDED}


def _clones(job: Options) -> int:
    text = job.get("numjobs", "1")
    return int(text) if text.isdigit() else 1


def _block_bytes(job: Options) -> int:
    """The largest block of a job; fio's own default where it says none."""
    texts = (job[name] for name in ("bs", "bsrange", "bssplit") if name in job)
    words = (re.sub(r"/[0-9]*", "", word) for text in texts for word in re.split(r"[,:-]", text))
    return max(filter(None, map(_bytes, words)), default=4096)


def _most_ios(job: Options) -> int:
    """So many that no more than `MOST_SYNCS` of them are synced."""
    texts = (job.get(name, "0") for name in ("fsync", "fdatasync"))
    every = [int(text) for text in texts if text.isdigit() and int(text)]
    every += [1] if job.get("sync", "0") not in ("0", "none") else []
    return min([MOST_IOS, *(MOST_SYNCS * number for number in every)])


def _most_bytes(job: Options, most_ios: int, clones: int) -> int:
    block = _block_bytes(job)
    return block * max(1, min(most_ios, MOST_BYTES // block) // clones)


def _is_little(job: Options, most_bytes: int) -> bool:
    """Whether a job ends by itself, and soon. Files of several jobs, and shares of a device, are not looked into."""
    if job.keys() & (_UNBOUNDED - {"io_size"}):
        return False
    moves = _bytes(job.get("io_size") or job.get("size", ""))
    return moves is not None and moves <= most_bytes


def _bytes(text: str) -> int | None:
    """`64k` -> 65536; None of what only fio can work out, as `10%`."""
    match = _SIZE.fullmatch(text)
    return int(match[1]) * int(1024 ** " kmgt".index(match[2].lower() or " ")) if match else None


def _words(jobs: dict[str, dict[str, str]], bounds: dict[str, int]) -> str:
    """`256 I/Os of 128k instead of 3 s`."""
    return "; ".join(
        f"{'' if len(jobs) == 1 else f'{name}: '}{bounds[name] // block:,} I/Os of {job.get('bs', '4k')}"
        f"{f' by each of {_clones(job)}' if _clones(job) > 1 else ''} instead of {_end(job)}"
        for name, job in jobs.items()
        if (block := _block_bytes(job))
    )


def _end(job: Options) -> str:
    runtime_s = timing.seconds(job.get("runtime", ""))
    return f"{runtime_s:g} s" if runtime_s else job.get("io_size") or job.get("size") or "its end"
