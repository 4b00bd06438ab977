"""Heap dumps of a large debug binary: fuselab against calling jeprof for each dump.

`.venv/bin/python tests/bench/heap.py` builds the binaries once (some minutes and 1.5 GB under the user's cache) and
prints ratios measured in this run, without asserting any: wall time is a matter of the machine, too. `--small` leaves
out the binary with 700 MB of debug information.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from bulk_binary import bulk_binary  # type: ignore[import-not-found]
from promises import promise  # type: ignore[import-not-found]

from fuselab.analysis.heap import jeprof
from fuselab.analysis.heap.dump import addresses_of, parse_name, read_dump
from fuselab.analysis.heap.profile import Heap, read_heap
from fuselab.analysis.symbols.demangle import demangle
from fuselab.analysis.symbols.maps import AddressSpace, Place
from fuselab.analysis.symbols.symbolizer import Symbols

FIRST_S = 60
AFTER_S = 5
RATIO = 5
_JEPROF_CALLS = 3
T = TypeVar("T")


def timed(work: Callable[[], T]) -> tuple[float, T]:
    start = time.perf_counter()
    result = work()
    return time.perf_counter() - start, result


def dumps_of(binary: Path, folder: Path, rounds: int) -> list[Path]:
    settings = "prof:true,prof_active:true,prof_final:true,lg_prof_interval:21,lg_prof_sample:12"
    environment = {
        **os.environ,
        "LD_PRELOAD": "libjemalloc.so.2",
        "MALLOC_CONF": f"{settings},prof_prefix:{folder}/heap",
    }
    subprocess.run([str(binary), str(rounds), "9"], env=environment, check=True, capture_output=True)
    return sorted(folder.glob("*.heap"))


def all_of_a_run(dumps: list[Path], cache: Path, out: Path) -> Heap:
    """What a capture is processed into: folded stacks, growth, timeline, and jeprof's text and graph."""
    heap = read_heap(dumps, Symbols(cache_folder=cache))
    jeprof.write_symbolised(heap, out / "named.heap")
    jeprof.text("jeprof", out / "named.heap")
    jeprof.graph("jeprof", out / "named.heap", "svg")
    return heap


def jeprof_each(binary: Path, dumps: list[Path]) -> float:
    """Seconds for one call of jeprof on the binary, by a few dumps spread over the run."""
    some = dumps[:: max(1, len(dumps) // _JEPROF_CALLS)][:_JEPROF_CALLS]
    start = time.perf_counter()
    for dump in some:
        argv = ["jeprof", "--text", "--show_bytes", str(binary), str(dump)]
        subprocess.run(argv, capture_output=True, check=True)
    return (time.perf_counter() - start) / len(some)


def places_of(binary: Path, dumps: list[Path]) -> list[Place]:
    """Every place of the binary that is in any stack."""
    places: set[Place] = set()
    for name in filter(None, map(parse_name, dumps)):
        dump = read_dump(name)
        for stack in dump.stacks:
            found = map(AddressSpace(dump.mappings).locate, addresses_of(stack))
            places |= {place for place in found if place and place.module == str(binary)}
    return sorted(places)


def against_llvm(binary: Path, places: list[Place]) -> tuple[float, float, float]:
    """(seconds of llvm-symbolizer, seconds of ours with a warm cache, share of places named alike, inlines too)."""
    image = Symbols().image(places[0])
    assert image
    addresses = "".join(f"{image.address_of(place.offset):#x}\n" for place in places)
    argv = ["llvm-symbolizer", f"--obj={binary}", "--inlines", "--functions=linkage", "--no-demangle"]
    theirs_s, done = timed(
        lambda: subprocess.run(argv, input=addresses, capture_output=True, text=True, check=True)
    )
    ours_s, ours = timed(lambda: Symbols().name(places))
    # One block per address: function and source line in turn, the innermost first.
    chains = [block.strip().split("\n")[0::2] for block in done.stdout.strip().split("\n\n")]
    plain = demangle(name for chain in chains for name in chain)
    theirs = [tuple(plain[name] for name in reversed(chain) if name != "??") for chain in chains]
    alike = sum(ours[place] == chain for place, chain in zip(places, theirs, strict=True))
    return theirs_s, ours_s, alike / len(places)


def bench(copies: int, rounds: int) -> None:
    binary = bulk_binary(copies)
    with tempfile.TemporaryDirectory() as scratch:
        folder, cache = Path(scratch), Path(scratch) / "symbols"
        dumps = dumps_of(binary, folder, rounds)
        first, heap = timed(lambda: all_of_a_run(dumps, cache, folder))
        second, _ = timed(lambda: all_of_a_run(dumps, cache, folder))
        size, named = binary.stat().st_size / 1e6, heap.quality.named_frame_share
        print(f"{binary.name}: {size:.0f} MB, {len(dumps)} dumps, {len(heap.samples)} stacks in the last")
        print(f"  frames with a name                     {named:6.1%}")
        print(f"  first processing, symbols not cached   {first:6.1f} s")
        print(f"  all dumps of a run after the first     {second:6.1f} s")
        if copies > 1:
            promise("symbols of a large binary, the first time", first, FIRST_S, "s")
            return
        once = jeprof_each(binary, dumps)
        each = once * len(dumps)
        print(
            f"  jeprof --text, one dump                {once:6.1f} s, for each of {len(dumps)}: {each:.0f} s"
        )
        promise("all heap dumps of a run, after the first time", second, AFTER_S, "s")
        promise("jeprof for each dump / fuselab", each / second, RATIO, at_least=True)
        if shutil.which("llvm-symbolizer") is None:
            print("  llvm-symbolizer is not installed (Debian: llvm): not compared")
            return
        places = places_of(binary, dumps)
        theirs, ours, alike = against_llvm(binary, places)
        print(f"  llvm-symbolizer, {len(places)} addresses        {theirs:6.1f} s")
        print(f"  symbolic, symbols cached               {ours:6.2f} s, {alike:.1%} named alike")


if __name__ == "__main__":
    bench(1, rounds=400)
    if "--small" not in sys.argv:
        bench(8, rounds=20)
