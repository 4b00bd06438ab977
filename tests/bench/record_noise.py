"""Record how the throughput of a load wanders: the noise that tests/bench/slices_replayed.py replays.

Run it with the checkout's Python: `.venv/bin/python tests/bench/record_noise.py [SECONDS]` (330 of each series, if none
are given; 45 minutes). Four loads of fio, one by one, on two filesystems: plainfs (tests/programs) and bindfs, each
mounted once for each series, with its state under $TMPDIR. Nothing is asked of the machine: whatever else runs is what
is to be recorded. tests/bench/noise/ then holds a file for each series, whose arrays `Series` names.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from fuselab.system import procfs

NOISE = Path(__file__).with_name("noise")
PLAINFS = Path(__file__).parents[1] / "programs" / "plainfs.c"
STEP_S = 0.01
STEPS_OF_MACHINE = 10
"""The machine is looked at less often: its counters of stolen time know only ticks of 10 ms."""
LOAD_EVERY_S = 10.0
SECONDS = 330.0
RAMP_S = 5.0
BEGIN_S = 60.0
FIRST = -20
"""Nice value of who looks: late looks would make the noise smoother than it is."""
_MOUNTED_S = 20.0
_POLL_S = 0.01

UNITS = {
    "randwrite-16k": 16 << 10,
    "write-128k": 128 << 10,
    "randread-4k": 4 << 10,
    "randrw-16k-fsync": 16 << 10,
}
"""Bytes of a request."""
LOADS: Mapping[str, tuple[str, ...]] = {
    "randwrite-16k": ("--rw=randwrite", "--bs=16k", "--size=32m"),
    "write-128k": ("--rw=write", "--bs=128k", "--size=64m"),
    "randread-4k": ("--rw=randread", "--bs=4k", "--size=32m", "--direct=1"),
    "randrw-16k-fsync": ("--rw=randrw", "--bs=16k", "--size=32m", "--fsync=8"),
}
FILESYSTEMS = ("plainfs", "bindfs")


@dataclass(frozen=True)
class Series:
    """What one load did. All steps follow each other without a gap."""

    unit_bytes: int
    requests: npt.NDArray[np.uint16]
    """In each STEP_S: bytes that it had moved (rchar and wchar of /proc/PID/io), as whole requests."""
    cpu_us: npt.NDArray[np.uint32]
    """In each STEPS_OF_MACHINE steps, of /proc/pressure/cpu: some task waited for a CPU."""
    io_us: npt.NDArray[np.uint32]
    steal_ticks: npt.NDArray[np.uint16]
    loadavg_1m: npt.NDArray[np.float32]
    """Every LOAD_EVERY_S."""

    def save(self, path: Path) -> None:
        np.savez_compressed(path, **vars(self))


def load(path: Path) -> Series:
    with np.load(path) as held:
        return Series(**{name: held[name] for name in held.files if name != "unit_bytes"},
                      unit_bytes=int(held["unit_bytes"]))  # fmt: skip


def record(folder: Path, filesystem: str, name: str, seconds: float) -> Series:
    """Of the load `name`; `folder` is empty and on the disk that is to be measured."""
    place = folder / "mnt"
    with mounted(filesystem, folder, place):
        runtime = f"--runtime={RAMP_S + BEGIN_S + seconds:.0f}"
        argv = ["fio", "--name=noise", f"--directory={place}", *LOADS[name], "--time_based", runtime]
        with subprocess.Popen([*argv, "--eta=never"], stdout=subprocess.DEVNULL) as fio:
            try:
                return _sampled(_worker(fio.pid), UNITS[name], seconds)
            finally:
                fio.terminate()


@contextmanager
def mounted(filesystem: str, folder: Path, place: Path) -> Iterator[None]:
    state = folder / "state"
    state.mkdir()
    place.mkdir()
    if filesystem == "plainfs":
        argv = [str(compiled(folder)), str(state), "-f", str(place)]
    else:
        argv = [filesystem, "-f", str(state), str(place)]
    with subprocess.Popen(argv) as server:
        try:
            deadline = time.monotonic() + _MOUNTED_S
            while not place.is_mount():
                if server.poll() is not None or time.monotonic() > deadline:
                    raise SystemExit(f"{filesystem} does not mount")
                time.sleep(_POLL_S)
            yield
        finally:
            subprocess.run(["umount", "--lazy", place], check=False)
            server.terminate()


def compiled(folder: Path) -> Path:
    libfuse = subprocess.check_output(["pkg-config", "--cflags", "--libs", "fuse3"], text=True).split()
    subprocess.run(["gcc", "-O2", "-w", PLAINFS, "-o", folder / "plainfs", *libfuse], check=True)
    return folder / "plainfs"


def _worker(fio: int) -> int:
    """The process that does the I/O, once it does."""
    deadline = time.monotonic() + BEGIN_S
    while time.monotonic() < deadline:
        for pid in procfs.family(fio) - {fio}:
            if _moved(pid):
                return pid
        time.sleep(_POLL_S)
    raise SystemExit("fio does not begin")


def _sampled(pid: int, unit: int, seconds: float) -> Series:
    time.sleep(RAMP_S)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, FIRST)
    proc = procfs.open_proc()
    at: list[float] = []
    moved: list[int] = []
    machine: list[tuple[int, int, int]] = []
    loads: list[float] = []
    start = time.monotonic()
    for step in range(round(seconds / STEP_S) + 2):
        time.sleep(max(0.0, start + step * STEP_S - time.monotonic()))
        if step % STEPS_OF_MACHINE == 0:
            machine.append(_machine(proc))
        if step % round(LOAD_EVERY_S / STEP_S) == 0:
            loads.append(os.getloadavg()[0])
        at.append(time.monotonic() - start)
        moved.append(_moved(pid))
    os.close(proc)
    with suppress(PermissionError):
        os.setpriority(os.PRIO_PROCESS, 0, 0)
    # A look that came late is moved back to its time, as if nothing had changed in between.
    grid = np.arange(round(seconds / STEP_S) + 1) * STEP_S
    requests = np.diff(np.interp(grid, at, np.array(moved) - moved[0]) // unit)
    waited = np.diff(np.array(machine), axis=0)
    return Series(
        unit_bytes=unit,
        requests=requests.astype(np.uint16),
        cpu_us=waited[:, 0].astype(np.uint32),
        io_us=waited[:, 1].astype(np.uint32),
        steal_ticks=waited[:, 2].astype(np.uint16),
        loadavg_1m=np.array(loads, dtype=np.float32),
    )


def _machine(proc: int) -> tuple[int, int, int]:
    steal = procfs.cpu_times(proc).steal
    return procfs.pressure_us("cpu") or 0, procfs.pressure_us("io") or 0, steal


def _moved(pid: int) -> int:
    moved = procfs.io(pid)
    return moved["rchar"] + moved["wchar"]


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else SECONDS
    NOISE.mkdir(exist_ok=True)
    for name in LOADS:
        for filesystem in FILESYSTEMS:
            folder = Path(tempfile.mkdtemp(prefix="fuselab-noise-"))
            try:
                series = record(folder, filesystem, name, seconds)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
            series.save(NOISE / f"{filesystem}-{name}.npz")
            rate = series.requests.sum() * series.unit_bytes / seconds / 1e6
            loads = series.loadavg_1m
            print(
                f"{filesystem:8} {name:18} {rate:6.0f} MB/s, load {loads.min():.1f} to {loads.max():.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
