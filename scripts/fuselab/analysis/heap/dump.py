"""One jemalloc heap dump (text format heap_v2), and what its sampled counts say about all objects.

jemalloc samples allocations so that an object of s bytes is seen with probability p = 1 - exp(-s/R), R being
the mean number of bytes between samples. The estimate is sampled / p (jeprof does the same), and the number
of sampled objects being binomial, its relative standard error is sqrt((1 - p) / n).
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from fuselab.analysis.symbols.maps import MappedFile
from fuselab.errors import ProfileError

Kind = Literal["interval", "manual", "high-water", "final"]
_KINDS: Mapping[str, Kind] = {"i": "interval", "m": "manual", "u": "high-water", "f": "final"}
_NAME = re.compile(r"^(?P<prefix>.*)\.(?P<pid>\d+)\.(?P<seq>\d+)\.(?P<kind>[imuf])\d*\.heap$")
_HEADER = re.compile(r"^heap_v2/(\d+)$")
_ALL_THREADS = re.compile(r"^\s*t\*: (\d+): (\d+) \[")


@dataclass(frozen=True, slots=True)
class DumpName:
    """What a dump's file name says: `<prefix>.<pid>.<seq>.<kind>[n].heap`."""

    file: Path
    prefix: str
    pid: int
    seq: int
    kind: Kind


class Estimate(NamedTuple):
    """Live memory behind sampled counts."""

    objects: float = 0.0
    bytes: float = 0.0
    variance_bytes2: float = 0.0

    @property
    def sd_bytes(self) -> float:
        """Standard error of `bytes` that comes from sampling."""
        return math.sqrt(self.variance_bytes2)

    @staticmethod
    def added(parts: Iterable[Estimate]) -> Estimate:
        return Estimate(*map(sum, zip(*parts, strict=True)))


@dataclass(frozen=True)
class HeapDump:
    """A dump: sampled live objects and bytes by stack, and where the modules were."""

    name: DumpName
    written_ns: int
    """Modification time of the file (epoch)."""
    mean_sample_bytes: int
    """R, 2^lg_prof_sample."""
    stacks: Mapping[str, tuple[int, int]]
    """Addresses as the dump writes them, leaf first -> (objects, bytes) sampled, all threads together."""
    mappings: tuple[MappedFile, ...]


def parse_name(file: Path) -> DumpName | None:
    """None where a file is no heap dump."""
    if match := _NAME.match(file.name):
        return DumpName(file, match["prefix"], int(match["pid"]), int(match["seq"]), _KINDS[match["kind"]])
    return None


def unbias(objects: int, size: int, mean_sample_bytes: int) -> Estimate:
    """Estimate from the sampled objects of one stack and their bytes together.

    Objects of one stack are taken to be of their mean size, as jeprof does.
    """
    if objects == 0:
        return Estimate()
    mean = size / objects
    seen = -math.expm1(-mean / mean_sample_bytes)
    return Estimate(objects / seen, size / seen, objects * (1 - seen) * (mean / seen) ** 2)


def read_dump(name: DumpName, build_ids: Mapping[str, str] | None = None) -> HeapDump:
    """Read one dump; `build_ids` are those that its capture noted, by path, for a dump has none.

    Raises ProfileError where it is empty, cut short or of another format.
    """
    text = name.file.read_text(errors="replace")
    head, _, maps = text.partition("MAPPED_LIBRARIES:\n")
    first, _, body = head.partition("\n")
    match = _HEADER.match(first)
    if match is None or not maps:
        what = "is cut short: it has no list of mapped libraries"
        if match is None:
            what = "is empty" if not text else f"does not begin with heap_v2 but with {first[:40]!r}"
        raise ProfileError(
            f"{name.file.name} {what}.", "Look for a full disk or a killed target in this capture."
        )
    stat = name.file.stat()
    return HeapDump(
        name,
        stat.st_mtime_ns,
        int(match[1]),
        dict(_read_stacks(body)),
        tuple(_read_mappings(maps, build_ids or {})),
    )


def _read_stacks(body: str) -> Iterator[tuple[str, tuple[int, int]]]:
    """(addresses, (objects, bytes)) of every stack; the summary before the first `@` is left out."""
    for block in body.split("\n@ ")[1:]:
        addresses, _, counts = block.partition("\n")
        if match := _ALL_THREADS.match(counts):
            yield sys.intern(addresses), (int(match[1]), int(match[2]))  # the same in most dumps of a run


def _read_mappings(maps: str, build_ids: Mapping[str, str]) -> Iterator[MappedFile]:
    for line in maps.split("\n"):
        fields = line.split(None, 5)
        if len(fields) == 6 and "x" in fields[1] and fields[5].startswith("/"):
            start, end = (int(value, 16) for value in fields[0].split("-"))
            yield MappedFile(start, end, int(fields[2], 16), fields[5], build_ids.get(fields[5], ""))


def addresses_of(stack: str) -> list[int]:
    """Addresses of a stack, leaf first, moved into the call where they are return addresses (all but the first)."""
    first, *callers = (int(value, 16) for value in stack.split())
    return [first, *(value - 1 for value in callers)]
