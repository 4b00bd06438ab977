"""The table of movers names what moved and, between equals, nothing."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np

from fuselab.analysis.folded import Folded, Stacks
from fuselab.analysis.movers import CANNOT_TELL, Side, find_movers, write_movers

MS = 1_000_000


def captures(
    random: np.random.Generator,
    costs_ns: dict[str, float],
    repeats: int,
    operations: int = 10_000,
    drift: float = 0.05,
) -> Side:
    """Sampled at 1 kHz: counts are Poisson around costs that drift from capture to capture."""
    folded = []
    for _ in range(repeats):
        stacks: Stacks = {}
        for name, cost in costs_ns.items():
            samples = random.poisson(cost * operations / MS * np.exp(random.normal(0, drift)))
            stacks["main", "write", name] = int(samples) * MS
        folded.append(Folded(stacks, "ns on CPU"))
    return Side(folded, [operations] * repeats, [operations * 4096] * repeats)


def costs(random: np.random.Generator, functions: int) -> dict[str, float]:
    """A profile with a long tail, ns per operation."""
    return {f"f{n}": float(200_000 * random.pareto(1.2) / functions + 300) for n in range(functions)}


def test_between_equals_no_mover_is_named() -> None:
    """False alarms per table, over simulated A/A pairs of three captures a side."""
    random = np.random.default_rng(7)
    alarms = 0
    for _ in range(400):
        profile = costs(random, 80)
        rows = find_movers(captures(random, profile, 3), captures(random, profile, 3), "per operation").rows
        alarms += any(row.moved != "no" for row in rows)
    assert alarms / 400 <= 0.05


def heap(*live_bytes: int, kept: int = 0) -> Side:
    """Captures of a heap that is counted exactly but for one allocation; `kept` is held by another."""
    counted: Stacks = {("main", f"buffer{n}"): 100_000 for n in range(12)}
    if kept:
        counted["main", "kept"] = kept
    folded = [
        Folded({**counted, **({("main", "cell"): live} if live else {})}, "bytes") for live in live_bytes
    ]
    return Side(folded, [0] * len(folded), [0] * len(folded))


def test_an_allocation_of_a_sample_or_two_is_no_mover() -> None:
    """As three captures a side of an unchanged demofs had it: seen by all of one side, by none of the other."""
    before, after = heap(0, 0, 0), heap(20_881, 17_430, 20_881)
    rows = find_movers(before, after, "as it is", sample_value=16_384).rows
    assert {row.moved for row in rows} == {"no"}
    blind = find_movers(before, after, "as it is").rows
    assert any(row.moved != "no" for row in blind), "the repeats alone would have named it"


def test_memory_that_is_kept_moves_beyond_its_sampling() -> None:
    after = heap(0, 0, 0, kept=64 << 20)
    rows = find_movers(heap(0, 0, 0), after, "as it is", sample_value=16_384).rows
    assert "kept" in [row.function for row in rows if row.moved != "no"]


def test_a_function_that_doubled_is_named_with_its_difference() -> None:
    random = np.random.default_rng(8)
    found, differences = 0, []
    for _ in range(50):
        profile = costs(random, 60) | {"copy": 20_000.0}
        before, after = captures(random, profile, 3), captures(random, profile | {"copy": 40_000.0}, 3)
        table = find_movers(before, after, "per operation")
        copy = next(row for row in table.rows if row.function == "copy")
        found += copy.moved in ("self", "both")
        differences.append(copy.difference_self)
        assert copy.unit == "ns on CPU per operation"
        assert copy.difference_self_per_mib is not None
        assert abs(copy.difference_self_per_mib - 256 * copy.difference_self) < 1e-6 * abs(
            copy.difference_self_per_mib
        )
        assert "noise between captures" in table.note
    assert found == 50
    assert abs(np.mean(differences) - 20_000) < 1_000


def test_twice_the_load_at_the_same_cost_is_no_mover() -> None:
    random = np.random.default_rng(9)
    profile = costs(random, 40)
    before, after = captures(random, profile, 3, 5_000), captures(random, profile, 3, 10_000)
    rows = find_movers(before, after, "per operation").rows
    assert {row.moved for row in rows} == {"no"}


def test_one_capture_says_that_it_cannot_tell(tmp_path: Path) -> None:
    random = np.random.default_rng(10)
    profile = costs(random, 20)
    found = find_movers(captures(random, profile, 1), captures(random, profile, 1), "per operation")
    changed = [row for row in found.rows if row.moved == CANNOT_TELL]
    assert changed
    assert all(row.difference_self == row.difference_total == 0 for row in found.rows if row not in changed)
    assert "captures: 3" in found.note
    write_movers(tmp_path / "movers.csv", found.rows)
    with (tmp_path / "movers.csv").open() as file:
        written = list(csv.DictReader(file))
    assert [row["function"] for row in written] == [row.function for row in found.rows]


def test_one_capture_tells_what_did_not_move_from_what_did_by_more_than_its_sampling() -> None:
    before, after = heap(17_430), heap(20_881, kept=64 << 20)
    found = find_movers(before, after, "as it is", sample_value=16_384)
    assert {row.function for row in found.rows if row.moved == CANNOT_TELL} == {"kept", "main"}
    assert {row.moved for row in found.rows if row.function not in ("kept", "main")} == {"no"}
    assert "2 of 15 functions changed by more than sampling alone makes." in found.note
    counted = find_movers(before, after, "as it is")
    assert {row.function for row in counted.rows if row.moved == CANNOT_TELL} == {"kept", "main", "cell"}


def test_where_nobody_counted_the_work_a_profile_that_goes_on_for_so_long_is_compared_by_shares() -> None:
    """A bench that waits has few samples in five seconds: of those more burn, and nothing else has become less."""
    busy = Folded({("bench", "write"): 900, ("bench", "copy"): 100}, "samples on CPU")
    waiting = Folded({("bench", "write"): 9, ("bench", "copy"): 1, ("bench", "burn"): 10}, "samples on CPU")
    found = find_movers(Side([busy], [0], [0]), Side([waiting], [0], [0]), "by share")
    share = {row.function: (row.baseline_total, row.variant_total) for row in found.rows}
    assert share == {"bench": (100, 100), "write": (90, 45), "copy": (10, 5), "burn": (0, 50)}
    assert found.rows[0].function == "burn"
    assert {row.unit for row in found.rows} == {"% of samples on CPU"}
    assert "shares of each side's own total" in found.note


def test_without_operations_values_stay_as_they_are_and_it_is_said() -> None:
    side = Side([Folded({("main",): 5}, "ns on CPU")], [0], [0])
    found = find_movers(side, side, "per operation")
    assert found.scale == "as it is"
    assert found.rows[0].unit == "ns on CPU"
    assert "not scaled" in found.note


def test_a_spreadsheet_calculates_nothing_that_a_function_is_called(tmp_path: Path) -> None:
    random = np.random.default_rng(1)
    before, after = ({"=cmd|' /C calc'!A1": cost, "f": 900.0} for cost in (100.0, 5000.0))
    rows = find_movers(captures(random, before, 3), captures(random, after, 3), "per operation").rows
    write_movers(tmp_path / "movers.csv", rows)
    with (tmp_path / "movers.csv").open() as file:
        cells = [cell for row in csv.DictReader(file) for cell in row.values()]
    assert any(cell.startswith("'=cmd") for cell in cells)
    assert not any(cell.startswith("=") for cell in cells)
