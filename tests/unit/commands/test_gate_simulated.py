"""Who gets a comment: nobody who changed nothing, and nearly everybody who made it 10 % slower."""

import pytest
from tests.bench.simulate_gate import gate

from fuselab.compare.power import NOISY, QUIET


@pytest.mark.parametrize("noise", [QUIET, NOISY], ids=["quiet", "noisy"])
@pytest.mark.parametrize("blocks", [12, "auto"])
def test_a_pull_request_that_changes_nothing_gets_no_comment_in_40_of_40_tries(noise, blocks):
    assert gate(noise, 0.0, blocks, tries=40, seed=1).comments == 0


def test_one_that_is_10_percent_slower_gets_one_in_38_of_40_and_is_stopped():
    found = gate(QUIET, 0.10, 12, tries=40, seed=2)
    assert found.comments >= 38
    assert found.outcomes.count("broken") >= 38


def test_one_more_call_of_each_operation_gets_one_always_however_noisy_the_clock():
    assert gate(NOISY, 0.0, 12, tries=40, seed=3, calls=1).comments == 40


def test_what_is_slower_by_just_what_it_may_be_breaks_its_guard_as_seldom_as_the_level_says():
    # 400 tries at 5 %: 20 on average, standard deviation 4.4.
    found = gate(QUIET, 0.05, 12, tries=400, seed=4)
    assert found.outcomes.count("broken") <= 20 + 3 * 4.4
    assert found.outcomes.count("holds") <= 20 + 3 * 4.4
