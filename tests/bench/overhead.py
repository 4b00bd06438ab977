"""What fuselab adds to a timed run, against a bare shell script that does the same mount, fio and unmount.

Usage: python tests/bench/overhead.py [--rounds N] [--runtime S]

Both sides mount bindfs on a folder of the same disk, run the same fio job file and unmount. What is compared is
what remains of the wall time when mount, load and stop are taken off: one look at whether the machine is quiet,
the namespaces, samples, hashes, the record. fuselab may add 1 s. On a busy machine it waits for more than one look:
that is shown by itself.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from promises import promise  # type: ignore[import-not-found]

from fuselab.records.request import Load, MountConfig, RunRequest
from fuselab.records.run import RunRecord
from fuselab.rig.environment import GATE_WINDOW_S
from fuselab.rig.run import execute
from fuselab.targets.model import Stopping
from fuselab.workloads import REGISTRY

LIMIT_S = 1.0
BARE = """
set -e
mkdir -p "$1/data" "$1/mount"
bindfs -f "$1/data" "$1/mount" & target=$!
until mountpoint -q "$1/mount"; do sleep 0.01; done
FUSELAB_DIRECTORY="$1/mount" FUSELAB_RANDSEED=1 fio --output-format=json --output="$1/fio.json" --eta=never "$2"
umount "$1/mount"
wait $target
rm -r "$1"
"""


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--runtime", type=float, default=2.0, help="of the load, in seconds")
    options = parser.parse_args()
    load = Load(
        "fio",
        "bench",
        {
            "jobs": {
                "job": {
                    "rw": "write",
                    "bs": "128k",
                    "size": "64m",
                    "runtime": f"{1000 * options.runtime:.0f}ms",
                }
            },
            "global": {},
        },
    )
    with tempfile.TemporaryDirectory(prefix="fuselab-bench-", dir=os.environ.get("TMPDIR")) as folder:
        job = Path(folder, "bench.fio")
        job.write_text(REGISTRY["fio"].render(load.settings) or "")
        bare, own, waited = [], [], []
        for number in range(options.rounds):
            bare.append(bare_s(Path(folder, f"bare-{number}"), job))
            total_s, record = fuselab_s(Path(folder), number, load)
            own.append((total_s, added_s(total_s, record)))
            waited.append(record.phases.gate_s if record.phases else 0.0)
    typical_bare, typical_total = statistics.median(bare), statistics.median(total for total, _ in own)
    busy = [max(0.0, wait - GATE_WINDOW_S) for wait in waited]
    added = [all_of_it - wait for (_, all_of_it), wait in zip(own, busy, strict=True)]
    print(f"bare shell script   {typical_bare:6.3f} s a run (mount, fio {options.runtime:g} s, unmount)")
    print(
        f"fuselab             {typical_total:6.3f} s a run, {typical_total / typical_bare:.3f} times as long"
    )
    print(f"  and {statistics.median(busy):.3f} s of waiting for a machine that was busy")
    print(f"median of {options.rounds} rounds; single ones: {', '.join(f'{value:.3f}' for value in added)} s")
    promise("what fuselab adds to mount, load and stop of a run", statistics.median(added), LIMIT_S, "s")


def bare_s(folder: Path, job: Path) -> float:
    started = time.monotonic()
    subprocess.run(
        ["unshare", "--mount", "sh", "-c", BARE, "sh", str(folder), str(job)], check=True, cwd=job.parent
    )
    return time.monotonic() - started


def fuselab_s(folder: Path, number: int, load: Load) -> tuple[float, RunRecord]:
    out = folder / f"out-{number}"
    out.mkdir()
    mount = MountConfig(
        variant="bench", target="bindfs", build=None, binary=shutil.which("bindfs") or "bindfs",
        argv=("bindfs", "-f", "{state}", "{mountpoint}"), env=(), files=(), prepare=(), ready_timeout_s=10.0,
        stop=Stopping(), backend="none", persists=True,
    )  # fmt: skip
    request = RunRequest(
        purpose="timed", experiment="bench", mount=mount, load=load, out=str(out), state_root=str(folder / "state"),
        repository=str(folder),
    )  # fmt: skip
    started = time.monotonic()
    record = execute(request)
    return time.monotonic() - started, record


def added_s(total_s: float, record: RunRecord) -> float:
    phases = record.phases
    if record.status == "failed" or phases is None:
        sys.exit(f"the run failed: {record.reason}")
    return total_s - phases.mount_s - phases.load_s - phases.drain_s - phases.stop_s


if __name__ == "__main__":
    main()
