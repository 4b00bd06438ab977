"""A perf recording of 10 s with 16 busy threads: how long until its flamegraph stands?

`.venv/bin/python tests/bench/perf.py [SECONDS]`. At 999 Hz this machine's cores bound the samples; a second recording
at eight times the rate has as many as eight times the cores would give.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from promises import promise  # type: ignore[import-not-found]

from fuselab.analysis.perf import oncpu
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.profilers import perf_record
from fuselab.programs import tool

LIMIT_S = 10.0
SOURCE = Path(__file__).with_name("crowd.rs")


def compile_crowd(folder: Path) -> Path:
    options = ["-O", "-C", "debuginfo=1", "-C", "force-frame-pointers=yes"]
    binary = folder / "crowd"
    subprocess.run(["rustc", "--edition", "2024", *options, str(SOURCE), "-o", str(binary)], check=True)
    return binary


def record(binary: Path, data: Path, seconds: float, frequency_hz: int) -> None:
    with subprocess.Popen([str(binary)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as target:
        assert target.stdout
        assert target.stdin
        target.stdout.readline()
        argv = perf_record.oncpu_record_argv("perf", perf_record.Watched((target.pid,)), data, frequency_hz)
        with subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as recorder:
            time.sleep(seconds)
            recorder.send_signal(2)
        target.communicate(b"\n")


def flamegraph(folded: Path, picture: Path) -> None:
    with picture.open("wb") as out:
        argv = [tool("inferno-flamegraph"), "--countname", "ns", str(folded)]
        subprocess.run(argv, stdout=out, check=True)


def bench(binary: Path, folder: Path, seconds: float, frequency_hz: int) -> float:
    data = folder / "perf.data"
    record(binary, data, seconds, frequency_hz)
    start = time.perf_counter()
    found = oncpu.read_oncpu("perf", data, Symbols(cache_folder=folder / "symbols"))
    read_s = time.perf_counter() - start
    folded = folder / "folded.txt"
    folded.write_text(
        "".join(f"{';'.join(stack)} {value}\n" for stack, value in sorted(found.stacks.items()))
    )
    flamegraph(folded, folder / "flamegraph.svg")
    total_s = time.perf_counter() - start
    print(f"{frequency_hz} Hz, {seconds:.0f} s, {data.stat().st_size / 1e6:.0f} MB, {found.samples} samples, "
          f"{len(found.stacks)} stacks, {found.lost} lost, {found.quality.whole_stack_share:.1%} whole")  # fmt: skip
    print(f"  perf script, names and folding {read_s:6.2f} s")
    print(f"  and the flamegraph             {total_s:6.2f} s")
    return total_s


if __name__ == "__main__":
    length_s = float(sys.argv[1]) if len(sys.argv) > 1 else 10.0
    with tempfile.TemporaryDirectory() as scratch:
        program = compile_crowd(Path(scratch))
        usual_s = bench(program, Path(scratch), length_s, 999)
        bench(program, Path(scratch), length_s, 7999)
    promise("perf.data of 16 threads at 999 Hz to a flamegraph", usual_s, LIMIT_S, "s")
