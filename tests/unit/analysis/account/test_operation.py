"""What an iteration of a bench is made of, from outside alone."""

from __future__ import annotations

from fuselab.analysis.account.captures import Sampled
from fuselab.analysis.account.operation import Operation, sentence
from fuselab.analysis.folded import Folded

ITERATION = Operation("An iteration of `big/write`", 4.02e9)
PARK = ("bench", "Runtime::block_on", "tokio::runtime::park::Inner::park", "futex_wait_[k]")
SLEEP = ("bench", "Runtime::block_on", "write", "std::thread::sleep", "nanosleep_[k]")


def test_who_is_parked_awaits_and_who_sleeps_in_a_poll_is_blocked() -> None:
    on_cpu = Sampled(Folded({("bench", "memcpy"): 1_000_000_000}, "ns on CPU"), 10)
    blocked = Sampled(Folded({PARK: 8_000_000_000, SLEEP: 40_000_000}, "ns off CPU"), 2)
    assert sentence(ITERATION, on_cpu, blocked) == (
        "An iteration of `big/write` took 4.02 s; of each, all threads together, 100 ms on CPU, 20 ms blocked, "
        "4 s awaiting."
    )


def test_of_what_was_not_captured_nothing_is_said() -> None:
    uncounted = Sampled(Folded({("bench",): 5}, "ns on CPU"), 0)
    assert sentence(ITERATION, uncounted, None) == "An iteration of `big/write` took 4.02 s."
