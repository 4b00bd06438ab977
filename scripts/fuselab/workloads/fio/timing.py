"""What part of a fio job is measured (a fixed time, after a ramp whose figures do not count), and at which rate.

Times are fio's own: a bare number is seconds.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from fuselab.workloads.base import Settings

Options = Mapping[str, str]

RAMP_SHARE = 0.1
"""Of the runtime: how long a job runs before its figures count, unless it says so itself (`ramp_time`)."""
RAMP_LIMIT_S = 5.0
_LOG_STEPS = 10
_LOG_STEP_S = (0.05, 1.0)
"""Shortest and longest step of fio's logs: a second, or a tenth of a load that is shorter than ten."""
_ASYNCHRONOUS = ("libaio", "io_uring", "posixaio")
_OF_NAMES = frozenset(f"{what}{how}" for what in ("file", "dir") for how in ("create", "stat", "delete"))
"""Engines that make, look up and delete files or folders."""
IN_TURNS: Options = {"runtime": "1d", "ramp_time": "0", "time_based": "1"}
"""Of a load that is ended from outside when its turns are over."""
TURN_METRICS = ("bw", "iops")
_COUNTED_ENGINES = (None, "psync", "sync", "vsync", "pvsync", "pvsync2")
"""What moves bytes by system calls that the kernel counts for a process: it counts none of asynchronous engines and of
mapped memory."""
_PACED = ("rate", "rate_iops", "rate_min", "rate_iops_min", "thinktime", "stonewall", "thread", "verify")
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}


def complete_jobs(settings: Settings) -> dict[str, dict[str, str]]:
    """Of a fio load: every job by name, with what `global` says for all."""
    shared = settings.get("global", {})
    return {job: {**shared, **options} for job, options in settings.get("jobs", {}).items()}


def overlaid(settings: Settings, own: Mapping[str, str]) -> Settings:
    """With `own` in every job."""
    return {**settings, "jobs": {job: {**options, **own} for job, options in settings["jobs"].items()}}


def seconds(text: str) -> float | None:
    """`500ms` -> 0.5; None for an expression that fio alone can work out."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)(us|ms|s|m|h|d|)", text)
    return float(match[1]) * _UNITS[match[2]] if match else None


def ramp_s(options: Options) -> float:
    """How long a job with these `options` (its own and those for all) runs before its figures count.

    A job that ends with its size and not with its time is measured whole.
    """
    if "ramp_time" in options:
        return seconds(options["ramp_time"]) or 0.0
    runtime_s = seconds(options.get("runtime", ""))
    if runtime_s is None or options.get("time_based") in ("0", "false"):
        return 0.0
    return min(RAMP_SHARE * runtime_s, RAMP_LIMIT_S)


def timed(job: Options, shared: Options) -> Options:
    """`job` as it is timed: a runtime implies time_based, or fio would stop as soon as `size` is done, and a ramp."""
    options = {**shared, **job}
    added: dict[str, str] = {}
    if "runtime" in options and "time_based" not in options:
        added["time_based"] = "1"
    if "ramp_time" not in options and (ramp := ramp_s(options)):
        added["ramp_time"] = f"{1000 * ramp:.0f}ms"
    return {**job, **added}


def log_step_ms(jobs: Iterable[Options]) -> int:
    """Step of fio's logs for complete `jobs`, so that even a short load leaves points enough to see a slope."""
    runtimes = [seconds(options.get("runtime", "")) for options in jobs]
    shortest = min((runtime for runtime in runtimes if runtime), default=_LOG_STEPS * _LOG_STEP_S[1])
    low, high = _LOG_STEP_S
    return round(1000 * min(max(shortest / _LOG_STEPS, low), high))


def no_turns(jobs: Mapping[str, Options]) -> tuple[str, str] | None:
    """(why complete `jobs` cannot take turns with others, what to do)."""
    for options in jobs.values():
        engine = options.get("ioengine")
        if engine not in _COUNTED_ENGINES:
            return (
                f"the kernel does not count what a process moves by `ioengine: {engine}`",
                "use `psync`, with `numjobs` for several at once",
            )
        if "runtime" not in options or options.get("time_based") in ("0", "false"):
            return "it ends with its size", "give it a `runtime`"
        if paced := next((name for name in _PACED if options.get(name, "0") not in ("0", "")), None):
            return f"`{paced}` goes by a time that does not stop with the load", f"leave out `{paced}`"
        if not moves_data(options):
            return f"`ioengine: {engine}` moves no data", "use `psync`"
    return None


def in_stages(jobs: Iterable[Options]) -> float | None:
    """How long complete `jobs` take: the longest of each stage, which a stonewall begins; None without a runtime."""
    stages = [0.0]
    for options in jobs:
        if "runtime" not in options:
            return None
        if options.get("stonewall", "0") != "0":
            stages.append(0.0)
        stages[-1] = max(stages[-1], (seconds(options["runtime"]) or 0.0) + ramp_s(options))
    return sum(stages)


def mode(options: Options) -> str:
    """`randwrite` of `rw=randwrite:8`."""
    return options.get("rw", options.get("readwrite", "read")).partition(":")[0]


def moves(mode: str, direction: str) -> bool:
    return mode in ("rw", "readwrite", "randrw", direction, f"rand{direction}") or (
        mode in ("trimwrite", "randtrimwrite") and direction == "write"
    )


def moves_data(job: Options) -> bool:
    """Whether bytes are moved. fio counts a block for each file whose name alone was in use, and a latency of 0."""
    return job.get("ioengine") not in _OF_NAMES


def arrives(job: Options) -> bool:
    """At random moments, and while others are on their way: a single request in flight holds up the next."""
    clones, depth = job.get("numjobs", "1"), job.get("iodepth", "1")
    several = clones != "1" or (depth != "1" and job.get("ioengine") in _ASYNCHRONOUS)
    return several and "rate_iops" in job and job.get("rate_process") == "poisson"


def asked_rates(jobs: Sequence[Options]) -> dict[str, float]:
    """`write.iops` or `write.bw` -> the rate that complete `jobs` keep to together, where all have one of a kind."""
    found = {}
    for number, direction in enumerate(("read", "write")):
        if any(mode(job).removeprefix("rand") not in ("read", "write") for job in jobs):
            continue
        moving = [job for job in jobs if mode(job).endswith(direction)]
        for option, metric in (("rate_iops", "iops"), ("rate", "bw")):
            rates = [_rate(job, option, number) for job in moving]
            if moving and all(rates):
                found[f"{direction}.{metric}"] = sum(rate for rate in rates if rate)
    return found


def _rate(options: Options, option: str, number: int) -> float | None:
    """Of all clones of a job; fio takes one rate for every direction, or one for each."""
    words = options.get(option, "").split(",")
    match = re.fullmatch(r"([0-9]+)([kmg]?)", words[min(number, len(words) - 1)].lower())
    clones = options.get("numjobs", "1")
    if match is None or not clones.isdigit():
        return None
    return int(match[1]) * float(1024 ** " kmg".index(match[2] or " ")) * int(clones)
