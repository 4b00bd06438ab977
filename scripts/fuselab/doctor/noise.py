"""How quiet the machine is: what widens every interval, and what voids blocks."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

from fuselab.doctor.base import Line, bad, note, ok
from fuselab.files import closing
from fuselab.system import procfs
from fuselab.words import percent

_CPUS = Path("/sys/devices/system/cpu")
_LOOK_S = 0.5
_BUSY_SHARE = 0.10
_STEAL_SHARE = 0.01
_LITTLE_BYTES = 5 * 10**9
_NEEDED_BYTES = 1 * 10**9


def governor() -> Iterator[Line]:
    paths = sorted(_CPUS.glob("cpu[0-9]*/cpufreq/scaling_governor"))
    kinds = {path.read_text().strip() for path in paths}
    if not kinds:
        yield ok("governor", "the clock of the CPU is not ours to set here (a virtual machine)")
    elif kinds == {"performance"}:
        yield ok("governor", "performance")
    else:
        mend = "echo performance | sudo tee /sys/devices/system/cpu/cpu*/cpufreq/scaling_governor"
        yield note("governor", f"{', '.join(sorted(kinds))}: the clock changes with the load", mend)
    turbo = _CPUS / "intel_pstate/no_turbo"
    if turbo.exists() and turbo.read_text().strip() == "0":
        mend = f"echo 1 | sudo tee {turbo}"
        yield note("turbo", "on: the clock depends on heat and on what the other cores do", mend)


def load() -> Iterator[Line]:
    """Half a second of the machine as it is now."""
    with closing(procfs.open_proc()) as proc:
        before, started = procfs.cpu_times(proc), time.monotonic()
        time.sleep(_LOOK_S)
        after = procfs.cpu_times(proc)
    total = after.total - before.total or 1
    busy = 1 - (after.idle - before.idle) / total
    steal = (after.steal - before.steal) / total
    if busy > _BUSY_SHARE:
        text = f"{percent(busy)} of the CPUs is used by others: blocks will be voided, verdicts wait"
        yield note("load", text, "see who it is with: top")
    else:
        yield ok("load", f"{percent(busy)} of the CPUs in use over {time.monotonic() - started:.1f} s")
    if steal > _STEAL_SHARE:
        text = f"{percent(steal, 1)}: the host gives this machine's time to others, and runs will be voided"
        yield note("steal", text, "use a machine, or an instance, of its own")
    else:
        yield ok("steal", percent(steal, 1))
    if not Path("/proc/pressure/cpu").exists():
        yield note(
            "pressure",
            "this kernel has no /proc/pressure: the gate before a run sees less",
            "boot with psi=1",
        )


def disk(what: str, folder: Path, mend: str) -> Iterator[Line]:
    """Free space where `folder`, which holds `what`, is or will be; the command `mend` makes some."""
    there = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(there).free
    text = f"{free / 1e9:.0f} GB free for {what} ({folder})"
    if not os.access(there, os.W_OK):
        yield bad("disk", f"{what}: {there} cannot be written to", f"sudo chown $USER {there}")
    elif free < _NEEDED_BYTES:
        yield bad("disk", text, mend)
    elif free < _LITTLE_BYTES:
        yield note("disk", text, mend)
    else:
        yield ok("disk", text)
