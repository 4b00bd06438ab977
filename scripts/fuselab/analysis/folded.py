"""Folded stacks: `root;caller;leaf value`, one line a stack, and the pictures that inferno draws of them.

Every profiler ends here, so the traps of the format are dealt with here and nowhere else:

- what a terminal or XML cannot bear (ESC in a span's name) goes, by `foreign`;
- `;` inside a name would split the frame, and a name that ends in a number (`shard 5`) would be read as one
  count more, which turns the line into a difference: `safe_frame` mends both.
- inferno cuts fractional counts down to whole numbers, so a thousand stacks of 0.9 vanish: values are whole
  here, and `scaled` rounds so that the total is kept.
- inferno answers empty input with an error drawn as a picture: it is never called without a stack.
"""

from __future__ import annotations

import math
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from fuselab import foreign
from fuselab.errors import LONGER, ProfileError
from fuselab.files import write_atomically

Stacks = dict[tuple[str, ...], int]
"""Root first -> value, in ns or bytes."""

INFERNO_TIMEOUT_S = 120.0
_BREAKS = re.compile(r"\s*[\r\n\t]\s*")
_COUNT_AT_END = re.compile(r" (?=[-+]?[0-9.]+$)")


@dataclass(frozen=True)
class Folded:
    """Stacks (root first) with their values in `unit`, whose first word is the unit itself (`ns on CPU`)."""

    stacks: Stacks
    unit: str

    @property
    def total(self) -> int:
        return sum(self.stacks.values())

    def __bool__(self) -> bool:
        return self.total > 0


@dataclass(frozen=True)
class Share:
    """What one function holds: `self_value` where it is the leaf, `total_value` wherever it stands."""

    self_value: int
    total_value: int


@dataclass(frozen=True)
class Picture:
    """How a flamegraph is labelled. `colors` is one of inferno's palettes."""

    title: str
    subtitle: str = ""
    colors: str = "hot"
    options: tuple[str, ...] = ()


def safe_frame(name: str) -> str:
    """A name that stays one frame in a folded line, whatever is in it."""
    name = _BREAKS.sub(" ", foreign.name(name).replace(";", ",")).strip()
    name = _COUNT_AT_END.sub("_", name)
    return f"_{name}" if name.startswith("#") else name or "[unnamed]"


def read_folded(path: Path, unit: str) -> Folded:
    """Stacks of a file, equal ones added up; fractions are added up before they are rounded.

    Raises ValueError, naming file and line, for anything that is no folded line or has a negative value.
    """
    values: defaultdict[tuple[str, ...], list[float]] = defaultdict(list)
    with path.open(encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            stack, _, text = line.rstrip("\n").rpartition(" ")
            if not line.strip():
                continue
            try:
                if not stack:
                    raise ValueError(f"not a folded line: {line[:120]!r}")
                if not 0 <= (value := float(text)) < math.inf:
                    raise ValueError(f"{value} is no count")
            except ValueError as error:
                raise ValueError(f"{path}:{number}: {error}") from None
            values[tuple(frame.strip() for frame in stack.split(";"))].append(value)
    return Folded({stack: round(math.fsum(each)) for stack, each in values.items()}, unit)


def lines(folded: Folded) -> Iterator[str]:
    """Sorted folded lines with safe frames; stacks of value 0 are left out."""
    for stack, value in sorted(folded.stacks.items()):
        if value > 0:
            yield f"{';'.join(map(safe_frame, stack))} {value}"


def write_folded(path: Path, folded: Folded) -> None:
    """An empty profile leaves an empty file."""
    write_atomically(path, _text(folded))


def _text(folded: Folded) -> str:
    return "".join(f"{line}\n" for line in lines(folded))


def merged(parts: Iterable[Folded]) -> Folded:
    """The sum of profiles. Raises ValueError if they are not all in one unit, or if there is none."""
    sums: Counter[tuple[str, ...]] = Counter()
    units = []
    for part in parts:
        units.append(part.unit)
        sums.update(part.stacks)
    if len(set(units)) != 1:
        raise ValueError(f"profiles of different units cannot be added: {list(dict.fromkeys(units))}")
    return Folded(dict(sums), units[0])


def scaled(folded: Folded, factor: float) -> Folded:
    """Every value times `factor`, in whole numbers that keep the total (largest remainders round up).

    Used to bring a baseline to the load of a variant (bytes or operations of one over those of the other).
    Raises ValueError for a factor that is not a positive number.
    """
    if not 0 < factor < math.inf:
        raise ValueError(f"cannot scale by {factor}")
    exact = {stack: value * factor for stack, value in folded.stacks.items()}
    whole = {stack: math.floor(value) for stack, value in exact.items()}
    missing = round(math.fsum(exact.values())) - sum(whole.values())
    by_remainder = sorted(exact, key=lambda stack: (whole[stack] - exact[stack], stack))
    for stack in by_remainder[:missing]:
        whole[stack] += 1
    return Folded(whole, folded.unit)


def safe(folded: Folded) -> Folded:
    """The same stacks with frames as they will stand in the file."""
    frames = {frame for stack in folded.stacks for frame in stack}
    return renamed(folded, {frame: safe_frame(frame) for frame in frames})


def renamed(folded: Folded, names: Mapping[str, str]) -> Folded:
    """The same stacks with other names for some frames; those that become equal are added up."""
    sums: Counter[tuple[str, ...]] = Counter()
    for stack, value in folded.stacks.items():
        sums[tuple(names.get(frame, frame) for frame in stack)] += value
    return Folded(dict(sums), folded.unit)


def functions(folded: Folded) -> dict[str, Share]:
    """Self and total of every name; a name twice on a stack (recursion) counts once in its total."""
    own: Counter[str] = Counter()
    total: Counter[str] = Counter()
    for stack, value in folded.stacks.items():
        own[stack[-1]] += value
        for name in set(stack):
            total[name] += value
    return {name: Share(own[name], total[name]) for name in total}


def flamegraph(program: str, folded: Folded, out: Path, picture: Picture) -> None:
    """Draw `out` (SVG) with inferno-flamegraph.

    Raises ProfileError if there is no stack to draw, RuntimeError with inferno's own words if it fails or takes
    longer than INFERNO_TIMEOUT_S.
    """
    _require(folded)
    write_atomically(out, _drawn(program, _text(folded), picture, folded.unit))


def difference(
    program: str, baseline: Folded, variant: Folded, folded_out: Path, svg_out: Path, picture: Picture
) -> None:
    """Draw the variant, coloured by its difference from the baseline (red: more, blue: less).

    `program` is inferno-flamegraph. Bring both sides to one load with `scaled` first. What exists only in the baseline
    has no width in this picture: the table of movers has it. Leaves `stack baseline variant` lines in `folded_out`, as
    inferno-diff-folded writes them. Raises as `flamegraph` does, if the variant has no stack.
    """
    _require(variant)
    before, after = Counter(safe(baseline).stacks), Counter(safe(variant).stacks)
    text = "".join(sorted(f"{';'.join(stack)} {before[stack]} {after[stack]}\n" for stack in before | after))
    write_atomically(folded_out, text)
    write_atomically(svg_out, _drawn(program, text, picture, variant.unit))


def _require(folded: Folded) -> None:
    if not folded:
        raise ProfileError("There is no stack to draw.", f"{LONGER} Else look at what the capture recorded.")


def _drawn(program: str, text: str, picture: Picture, unit: str) -> str:
    """The SVG of folded lines. `--name=value` throughout: a title may begin with a dash."""
    options = [
        "--quiet",
        "--hash",
        f"--title={foreign.name(picture.title)}",
        f"--subtitle={foreign.name(picture.subtitle)}",
        f"--countname={unit}",
        f"--colors={picture.colors}",
        *picture.options,
    ]
    try:
        done = subprocess.run(
            [program, *options],
            input=text,
            capture_output=True,
            text=True,
            timeout=INFERNO_TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{program} took longer than {INFERNO_TIMEOUT_S:.0f} s and was stopped") from None
    if done.returncode != 0:
        raise RuntimeError(f"{program} failed: {done.stderr.strip()[-600:]}")
    return done.stdout
