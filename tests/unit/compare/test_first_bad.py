"""The search of a bisect: on a simulated machine it names the commit with the change, and is as sure as it says."""

from __future__ import annotations

import numpy as np
import pytest
from tests.bench.simulate_bisect import COMMITS, bisect

from fuselab.compare import first_bad
from fuselab.compare.power import NOISY, QUIET

ENDS = [-0.1, -0.11, -0.09, -0.1, -0.12, -0.08]


def test_a_slowdown_of_ten_percent_is_found_on_the_noisy_machine_in_18_of_20_bisects():
    found = [bisect(NOISY, 0.10, seed % COMMITS, seed=seed) for seed in range(20)]
    assert sum(each.ended == "found" and each.right for each in found) >= 18
    named = [each for each in found if each.ended == "found"]
    assert sum(each.right for each in named) >= 0.95 * len(named), "it is as sure as it says"


def test_on_the_quiet_machine_it_is_found_every_time_with_a_third_of_the_builds():
    found = [bisect(QUIET, 0.10, seed % COMMITS, seed=seed) for seed in range(20)]
    assert all(each.ended == "found" and each.right for each in found)
    assert np.mean([each.builds for each in found]) < 8


def test_where_nothing_changed_no_commit_is_named_but_by_chance():
    found = [bisect(NOISY, 0.0, 0, seed=seed, wobble=0.0) for seed in range(20)]
    assert sum(each.ended == "nothing" for each in found) >= 17
    assert sum(each.ended == "found" for each in found) <= 3, "chance holds the ends apart in one of twenty"


def test_commits_that_cannot_be_tested_are_part_of_the_answer():
    """One of three does not build, wherever the change is; the answer has the right one among it."""
    broken = range(1, COMMITS - 1, 3)
    found = [bisect(QUIET, 0.10, seed % COMMITS, seed=seed, broken=broken) for seed in range(15)]
    assert all(each.ended == "found" and each.right for each in found)


def test_a_count_that_repeats_is_bisected_by_halves_with_one_run_a_step():
    for first in range(COMMITS):
        seen = {COMMITS - 1: [1.0] * 8}
        while True:
            belief = first_bad.believe(COMMITS, seen)
            (named,), sure = first_bad.likeliest(belief, first_bad.classes(COMMITS, ()))
            if sure >= 0.95:
                break
            allowed = {i: 1 for i in range(COMMITS) if i not in seen}
            step = first_bad.next_step(belief, allowed, lambda commit, blocks: 10.0 + blocks)
            assert step is not None
            seen[step.commit] = [float(step.commit >= first)]
        assert named == first
        assert len(seen) - 1 <= 4


def test_belief_moves_to_where_the_difference_begins():
    belief = first_bad.believe(4, {3: ENDS, 0: [0.0, 0.01, -0.01], 2: [-0.1, -0.09, -0.11]}, first_bad.WOBBLE)
    assert belief.first == pytest.approx([0.0, 0.5, 0.5, 0.0], abs=0.01)
    assert belief.changed == pytest.approx([0.0, 0.5, 1.0, 1.0], abs=0.01)
    assert belief.shift == pytest.approx(-0.1, abs=0.01)
    assert first_bad.plausible(belief, 0.9) == [1, 2]


def test_what_is_built_is_looked_at_before_what_takes_minutes_to_build():
    belief = first_bad.believe(9, {8: ENDS})

    def takes(commit: int, blocks: int) -> float:
        return 10.0 * blocks + (0.0 if commit == 2 else 600.0)

    step = first_bad.next_step(belief, dict.fromkeys(range(9), 32), takes)
    assert step is not None
    assert step.commit == 2
    wide = first_bad.believe(9, {8: [10 * each + 0.9 for each in ENDS]})
    step = first_bad.next_step(
        wide, dict.fromkeys(range(9), 32), lambda commit, blocks: 600.0 + 10.0 * blocks
    )
    assert step is not None
    assert step.blocks == 8, "a build is paid once, so more is asked of it"
    assert first_bad.next_step(belief, {}, takes) is None


def test_one_wild_block_names_nobody():
    belief = first_bad.believe(3, {2: ENDS, 0: [-0.7, 0.0, 0.01, -0.01, 0.0]}, first_bad.WOBBLE)
    assert belief.first[0] < 0.05


def test_the_groups_that_no_look_can_part():
    assert first_bad.classes(5, {1, 2}) == [range(0, 1), range(1, 4), range(4, 5)]


def test_ends_that_do_not_differ_cannot_be_searched():
    for ends in ([], [0.0, 0.0, 0.0]):
        with pytest.raises(ValueError, match="do not differ"):
            first_bad.believe(3, {2: ends})
