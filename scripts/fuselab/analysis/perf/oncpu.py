"""On-CPU time by stack, from a perf recording of the software clock."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fuselab.analysis.folded import Stacks
from fuselab.analysis.perf import script
from fuselab.analysis.perf.complaints import NOT_THE_KERNEL, PERMIT_KERNEL
from fuselab.analysis.perf.intervals import Key, Log, Moments
from fuselab.analysis.perf.stacks import fold, name_stacks
from fuselab.analysis.quality import Quality, grade
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import LONGER, ProfileError

CLOCKS = ("cpu-clock", "task-clock")
"""Events whose period is nanoseconds."""
_USER_ALONE = ":u"
"""What perf puts behind an event's name where it may not look into the kernel."""


@dataclass(frozen=True)
class OnCpu:
    """CPU time of one capture."""

    stacks: Stacks
    """Root first, beginning with the thread's name -> ns on CPU."""
    event: str
    samples: int
    lost: int
    """Samples that the kernel could not store."""
    total_ns: int
    kernel_ns: int
    """Part of the total whose leaf is in the kernel."""
    start_ns: int
    """CLOCK_MONOTONIC of the first and of the last sample."""
    end_ns: int
    quality: Quality
    moments: Moments
    """Each sample by itself."""

    @property
    def in_kernel(self) -> bool:
        """Whether the kernel's part was sampled too."""
        return not self.event.endswith(_USER_ALONE)


def read_oncpu(
    perf_program: str, data: Path, symbols: Symbols | None = None, minimum_samples: int = 30
) -> OnCpu:
    """Fold one perf.data written by `oncpu_record_argv`.

    Periods are summed, not samples: the clock stretches them when it is late. Raises ProfileError for a missing,
    cut or empty file, for fewer than `minimum_samples` samples (a share of 10 % then has a standard error
    above 5 points) and for an event whose period is no time.
    """
    symbols = symbols or Symbols()
    periods: Counter[Key] = Counter()
    log = Log()
    events: Counter[str] = Counter()
    first_ns = last_ns = lost = 0
    for header, stack in script.read_script(script.oncpu_script_argv(perf_program, data), data, symbols):
        if header.is_sample:
            period, event, _ = header.event()
            events[event] += 1
            periods[header.comm, stack] += period
            log.add(header.tid, header.time_ns, period, at=(header.comm, stack))
            first_ns, last_ns = first_ns or header.time_ns, header.time_ns
        else:
            lost += header.lost()
    _require_samples(events, lost, minimum_samples)
    named = name_stacks({raw for _, raw in periods}, symbols)
    tid, time_ns, ns, where = log.columns(3)
    of_functions = [(named[raw], period) for (_, raw), period in periods.items()]
    return OnCpu(
        stacks=fold(periods, named),
        event=events.most_common(1)[0][0],
        samples=events.total(),
        lost=lost,
        total_ns=periods.total(),
        kernel_ns=sum(
            period for stack, period in of_functions if "".join(stack.functions[-1:]).endswith("_[k]")
        ),
        start_ns=first_ns,
        end_ns=last_ns,
        quality=grade(of_functions, symbols.problems),
        moments=Moments(tid, time_ns, ns, where, log.functions(named)),
    )


def _require_samples(events: Counter[str], lost: int, minimum: int) -> None:
    samples = events.total()
    if unknown := [event for event in events if event.split(":")[0] not in CLOCKS]:
        raise ProfileError(
            f"perf sampled {', '.join(unknown)}, whose period is no time.",
            "fuselab samples cpu-clock: look which other perf.data lies in the capture.",
        )
    if samples >= minimum:
        return
    lost_part = f", and {lost} were lost" if lost else ""
    found = "no samples" if not samples else f"only {samples} samples, too few to say anything"
    if any(event.endswith(_USER_ALONE) for event in events):
        raise ProfileError(
            f"perf recorded {found}{lost_part}: {NOT_THE_KERNEL}.", f"Run as root, or: {PERMIT_KERNEL}"
        )
    raise ProfileError(
        f"perf recorded {found}{lost_part}: the target used next to no CPU time in the measured window.",
        LONGER,
    )
