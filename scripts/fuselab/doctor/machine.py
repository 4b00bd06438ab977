"""What the kernel permits: FUSE, namespaces, perf."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from fuselab.doctor.base import Line, bad, note, ok
from fuselab.programs import apt_install, installed

_TRIAL_TIMEOUT_S = 20
_CAP_NET_ADMIN = 12


def kernel() -> Iterator[Line]:
    who = "root" if os.geteuid() == 0 else f"user {os.geteuid()}, without root"
    yield ok(
        "machine",
        f"{platform.system()} {platform.release()} on {platform.machine()}, {os.cpu_count()} cores; {who}",
    )
    yield ok("libc", " ".join(platform.libc_ver()))
    if platform.system() != "Linux":
        yield bad("machine", "FUSE, namespaces and perf as fuselab needs them exist on Linux alone")


def fuse() -> Iterator[Line]:
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
        yield ok("FUSE", "/dev/fuse can be opened")
    except FileNotFoundError:
        mend = "sudo modprobe fuse    (in a container: start it with --device /dev/fuse)"
        yield bad("FUSE", "there is no /dev/fuse: nothing can be mounted", mend)
    except OSError as error:
        yield bad("FUSE", f"/dev/fuse cannot be opened: {error.strerror}", "sudo chmod 666 /dev/fuse")
    if not installed("fusermount3") and os.geteuid() != 0:
        yield bad(
            "FUSE", "fusermount3, which mounts without root, is not installed", apt_install("fusermount3")
        )


def namespaces() -> Iterator[Line]:
    """The very walls that a run is put behind."""
    from fuselab.errors import RigError
    from fuselab.system.namespaces import contained
    from fuselab.system.process import ended_words

    how = "as root" if os.geteuid() == 0 else "through a user namespace"
    try:
        with contained(["true"], mounts=True, network="private", stderr=subprocess.DEVNULL) as child:
            code = child.wait(_TRIAL_TIMEOUT_S)
    except (RigError, OSError, subprocess.TimeoutExpired) as error:
        yield bad("namespaces", str(error))
        return
    if code == 0 and os.geteuid() == 0 and not _may_set_up_networks():
        said = "a run has a network of its own, whose loopback cannot be brought up without NET_ADMIN"
        yield bad(
            "namespaces", said, "in a container: --cap-add NET_ADMIN; or `network: host` in the experiment"
        )
    elif code == 0:
        yield ok("namespaces", f"mounts, processes and network of a run can be walled off, {how}")
    else:
        yield bad("namespaces", f"a walled-off program {ended_words(code)}")


def _may_set_up_networks() -> bool:
    """As root: through a user namespace everybody may."""
    held = re.search(r"^CapEff:\s*([0-9a-f]+)$", Path("/proc/self/status").read_text(), re.MULTILINE)
    return held is None or bool(int(held[1], 16) >> _CAP_NET_ADMIN & 1)


def recording() -> Iterator[Line]:
    """By trying: what may be recorded depends on too many settings to be read off."""
    from fuselab.profilers import REGISTRY
    from fuselab.profilers.base import PerfEvent

    events = {name: profiler.kernel_event for name, profiler in REGISTRY.items() if profiler.kernel_event}
    here = installed("perf")
    if not here:
        without = [name for name, event in events.items() if isinstance(event, PerfEvent)]
        yield note("perf", f"not installed: {' and '.join(without)} are missing", apt_install("perf"))
    for name, event in events.items():
        by_perf = isinstance(event, PerfEvent)
        if by_perf and not here:
            continue
        if obstacle := event.obstacle():
            yield note(name, f"{event.cannot}: {obstacle.reason}", obstacle.mend)
        elif wrong := (_perf_fails if by_perf else _tracing_fails)(event.name):
            yield note(name, f"{event.cannot}: {wrong}", event.mend)
        else:
            yield ok(name, event.can)
    if here:
        yield group()
        yield from _pmu()


def _perf_fails(event: str) -> str | None:
    """What perf says when it cannot record `event` in the kernel; None if it can."""
    level = Path("/proc/sys/kernel/perf_event_paranoid")
    paranoid = level.read_text().strip() if level.exists() else "?"
    with tempfile.TemporaryDirectory() as folder:
        # Without a HOME, perf would make its cache of build ids in the folder that we were called in.
        bare = ("--no-buildid", "--no-buildid-cache")
        what = ("-e", f"{event}:k", "-o", f"{folder}/perf.data")
        said = _fails(["perf", "record", "-q", *bare, *what, "--", "true"])
    return said and f"{said} (perf_event_paranoid is {paranoid})"


def _tracing_fails(event: str) -> str | None:
    """Why an instance of the kernel's tracing cannot have `event`; None if it can."""
    return _fails([sys.executable, "-m", "fuselab.system.tracing", event])


def _fails(argv: list[str]) -> str | None:
    """What the command says if it fails where a run would start it.

    Behind a run's walls also because tracefs is mounted there where it is missing, and would stay.
    """
    from fuselab.errors import RigError
    from fuselab.system.namespaces import contained
    from fuselab.system.process import exit_words

    try:
        with contained(argv, mounts=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT) as child:
            said, _ = child.communicate(timeout=_TRIAL_TIMEOUT_S)
    except (RigError, OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    if child.returncode == 0:
        return None
    lines = [line.strip() for line in said.decode(errors="replace").splitlines()]
    lines = [line for line in lines if line and line != "Error:"]
    return lines[0] if lines else exit_words(child.returncode)


def group() -> Line:
    """By trying, too."""
    from fuselab.system.cgroup import new_group

    with new_group() as made:
        if made is not None:
            return ok(
                "control group", "a run can have one: perf looks at all processes of its target, by CPU"
            )
    return note(
        "control group",
        "none can be made for a run: perf looks at single threads, and takes up to two cores once one has ended",
        "run as root, with cgroup version 2 writable below /sys/fs/cgroup (a container: --privileged)",
    )


def _pmu() -> Iterator[Line]:
    if not Path("/sys/bus/event_source/devices/cpu").exists():
        yield ok(
            "perf",
            "no hardware counters here (a virtual machine): time is sampled by the clock, which serves",
        )
