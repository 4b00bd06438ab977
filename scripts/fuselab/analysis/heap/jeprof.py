"""jeprof's own text and graph without its slowness: it is handed a profile that we have named already.

jeprof calls nm, addr2line and c++filt for every profile of a binary. A profile that begins with a `---
symbol` section (what `jeprof --raw` writes) needs none of them, and no binary. Every function gets an
address of its own, the same in every profile, so `--base` can subtract one profile from another.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Mapping
from pathlib import Path

from fuselab.analysis.heap.profile import Heap
from fuselab.errors import ProfileError

# jeprof takes `<..>`, `(..)` and leading words for C++ types and cuts them off. They travel as other
# characters.
_SAFE = {"<": "\u2039", ">": "\u203a", "(": "\u2768", ")": "\u2769", " ": "\u00a0", "--": "\u2010\u2010"}
_PLAIN = {safe: plain for plain, safe in _SAFE.items()}


def write_symbolised(heap: Heap, out: Path) -> None:
    """Write the fullest dump as a profile that jeprof reads without the binary, allocator frames left out.

    Counts stay as jemalloc sampled them, one entry per original stack: jeprof removes the sampling bias itself.
    """
    addresses = {name: _address(name) for sample in heap.samples for name in sample.stack}
    lines = ["--- symbol", "binary=target"]
    lines += [f"{address:#018x} {_replaced(name, _SAFE)}" for name, address in sorted(addresses.items())]
    count, size = sum(s.objects for s in heap.samples), sum(s.bytes for s in heap.samples)
    lines += ["---", "--- heap", f"heap_v2/{heap.mean_sample_bytes}", f"  t*: {count}: {size} [0: 0]"]
    for sample in heap.samples:
        leaf, *callers = (addresses[name] for name in reversed(sample.stack))
        # jeprof takes 1 off every address but the first, as for return addresses.
        stack = [leaf, *(address + 1 for address in callers)]
        lines.append("@ " + " ".join(f"{address:#x}" for address in stack))
        lines.append(f"  t*: {sample.objects}: {sample.bytes} [0: 0]")
    out.write_text("\n".join([*lines, "", "MAPPED_LIBRARIES:", ""]))


def text(jeprof: str, profile: Path, base: Path | None = None) -> str:
    """`jeprof --text --show_bytes`: flat and cumulative live bytes by function. Raises ProfileError if jeprof fails."""
    return _replaced(_run(jeprof, "--text", profile, base), _PLAIN)


def graph(jeprof: str, profile: Path, form: str, base: Path | None = None) -> bytes:
    """`jeprof --dot --show_bytes`, drawn by graphviz in the format `form`: svg, pdf. Raises ProfileError if jeprof or
    dot fails.

    Not `jeprof --svg`: that takes the picture's size away, and a picture without one is cut off wherever its own
    script does not run.
    """
    drawing = _replaced(_run(jeprof, "--dot", profile, base), _PLAIN)
    # Near each other: there are forty calls from a thread's start to an allocation, one below the other.
    argv = ["dot", f"-T{form}", "-Granksep=0.25", "-Nfontname=sans-serif", "-Efontname=sans-serif"]
    # Its legend, in letters three times the graph's, says what the report says beside it.
    drawing = "".join(line for line in drawing.splitlines(True) if not line.startswith("Legend ["))
    done = subprocess.run(argv, input=drawing.encode(), capture_output=True, check=False)
    if done.returncode != 0:
        raise ProfileError(
            f"dot failed: {done.stderr.decode(errors='replace').strip()[-300:]}",
            "Install graphviz: its dot draws the graph.",
        )
    return done.stdout


def _run(jeprof: str, form: str, profile: Path, base: Path | None) -> str:
    argv = [jeprof, form, "--show_bytes", *([f"--base={base}"] if base else []), str(profile)]
    done = subprocess.run(argv, capture_output=True, text=True, errors="replace", check=False)
    if done.returncode != 0:
        raise ProfileError(
            f"jeprof failed: {(done.stderr.strip().splitlines() or ['no message'])[-1]}",
            "Run it by hand: " + " ".join(argv),
        )
    return done.stdout


def _address(name: str) -> int:
    """An address that is the function's in every profile; even, so that neighbours never meet."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big") << 4


def _replaced(text: str, by: Mapping[str, str]) -> str:
    for old, new in by.items():
        text = text.replace(old, new)
    return text
