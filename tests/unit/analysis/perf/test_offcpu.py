"""Time off the CPU is what was slept, on the stack that slept it, blocked apart from preempted."""

from pathlib import Path

import pytest

from fuselab.analysis.folded import Stacks
from fuselab.analysis.perf import offcpu, script
from fuselab.analysis.perf.intervals import Off
from fuselab.analysis.perf.offcpu import read_offcpu
from fuselab.analysis.perf.stacks import RawStack
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import ProfileError
from fuselab.profilers import perf_record

Slept = tuple[Path, tuple[int, int], int]


def time_in(stacks: Stacks, *names: str) -> int:
    return sum(value for stack, value in stacks.items() if all(any(n in f for f in stack) for n in names))


def test_planted_sleep_is_found_as_blocked_time(slept: Slept, symbols: Symbols) -> None:
    data, window_ns, slept_ns = slept
    off = read_offcpu("perf", data, symbols, window_ns)
    # libc keeps no frame pointer, yet its caller is known, in the main thread and in the other.
    asleep = time_in(off.blocked, "naps", "nanosleep")
    beside = time_in(off.blocked, "start_thread", "naps_beside")
    # Two threads, 50 sleeps of 10 ms each, and a little late every time. On a busy machine they are also pushed off the
    # processor on their way in and out, which is in what they say of themselves and not in what they were blocked.
    assert slept_ns > 1.0e9
    assert asleep + time_in(off.preempted, "naps", "nanosleep") == pytest.approx(slept_ns, rel=0.05)
    assert asleep > 0.98e9
    assert 0.49e9 < beside < asleep - 0.49e9
    assert (off.lost, off.without_stack_ns) == (0, 0)
    assert off.switches >= 100


def test_the_whole_time_of_a_thread_is_accounted_for(slept: Slept, symbols: Symbols) -> None:
    data, window_ns, _ = slept
    off = read_offcpu("perf", data, symbols, window_ns)
    window = window_ns[1] - window_ns[0]
    # One stack may be in both: asleep there, and once pushed off the processor there.
    everything = (*off.blocked.items(), *off.preempted.items())
    main = sum(v for s, v in everything if "start_thread" not in s)
    # The main thread does next to nothing but wait, from the line it reads to the line it writes.
    assert main + off.before_window_ns == pytest.approx(window, rel=0.05)
    assert off.threads == 2


def test_a_thread_born_in_the_window_has_not_waited_before_it(slept: Slept, symbols: Symbols) -> None:
    data, window_ns, _ = slept
    off = read_offcpu("perf", data, symbols, window_ns)
    assert off.before_window_ns < 0.1e9
    assert off.silent_threads == 0


def test_a_wait_still_going_on_counts_to_the_end_of_the_window(slept: Slept, symbols: Symbols) -> None:
    data, (start_ns, end_ns), _ = slept
    early = read_offcpu("perf", data, symbols, (start_ns, end_ns))
    later = read_offcpu("perf", data, symbols, (start_ns, end_ns + 10**9))
    # The main thread waits for its standard input when the window ends; the other has ended.
    assert later.open_ns - early.open_ns == pytest.approx(10**9, rel=0.01)
    assert later.blocked_ns - early.blocked_ns == later.open_ns - early.open_ns


def test_real_text_is_folded_exactly(golden: Path, monkeypatch: pytest.MonkeyPatch, symbols: Symbols) -> None:
    """Every duration of tests/golden/perf/offcpu.txt, added up by hand."""
    text = (golden / "perf" / "offcpu.txt").read_text()
    monkeypatch.setattr(script, "run", lambda argv: iter([text]))
    off = offcpu.read_offcpu("perf", golden / "perf" / "offcpu.txt", symbols)
    asleep = {17246: 0, 17253: 0}
    left: dict[int, int] = {}
    for line in text.splitlines():
        if "PERF_RECORD_SWITCH" in line:
            tid, time_ns = int(line.split()[1].split("/")[1]), round(float(line.split()[2].strip(":")) * 1e9)
            if " OUT" in line:
                left[tid] = time_ns
            elif tid in left:
                asleep[tid] += time_ns - left.pop(tid)
    assert off.blocked_ns + off.preempted_ns == pytest.approx(sum(asleep.values()), abs=100)
    assert off.preempted_ns == pytest.approx(144940, abs=1)
    assert off.switches == text.count("SWITCH OUT")


def test_switches_without_a_sample_are_time_without_a_stack(
    golden: Path, monkeypatch: pytest.MonkeyPatch, symbols: Symbols
) -> None:
    text = (golden / "perf" / "offcpu.txt").read_text()
    whole = text.split("\n\n")
    # The first sample is lost.
    record, sample = whole[0].rsplit("\n", 1)[0], whole[0]
    lost = sample[: sample.index("waits 17246/17246  3083.524184301:          1 sched")]
    assert record
    monkeypatch.setattr(script, "run", lambda argv: iter([lost + "\n\n".join(whole[1:]).lstrip("\n")]))
    off = read_offcpu("perf", golden / "perf" / "offcpu.txt", symbols)
    assert off.without_stack_ns == pytest.approx(10.17e6, rel=0.01)
    assert time_in(off.blocked, "[no stack]") == off.without_stack_ns


def test_a_thread_that_the_kernel_gives_no_number_any_more_waits_for_nothing(
    golden: Path, monkeypatch: pytest.MonkeyPatch, symbols: Symbols
) -> None:
    """Its parent took the exit status before its last switch, as perf wrote it of a dd that a shell waited for."""
    place = golden / "perf" / "offcpu.txt"
    text = place.read_text()
    gone = ":-1    -1/-1     3083.524184400: PERF_RECORD_SWITCH_CPU_WIDE OUT          next pid/tid:     0/0"
    monkeypatch.setattr(script, "run", lambda argv: iter([text]))
    before = read_offcpu("perf", place, symbols, (0, 3_100_000_000_000))
    monkeypatch.setattr(script, "run", lambda argv: iter([f"{gone}\n{text}"]))
    after = read_offcpu("perf", place, symbols, (0, 3_100_000_000_000))
    assert after.blocked == before.blocked
    assert (after.open_ns, after.threads, after.switches) == (before.open_ns, before.threads, before.switches)


def test_no_switches_are_refused(oncpu_data: Path, symbols: Symbols) -> None:
    with pytest.raises(ProfileError, match="0 scheduler switches"):
        read_offcpu("perf", oncpu_data, symbols)


def test_perf_is_asked_for_stacks_and_switches() -> None:
    argv = perf_record.offcpu_record_argv("perf", perf_record.Watched((7,)), Path("out"))
    assert "--switch-events" in argv
    assert argv[argv.index("-k") + 1] == "CLOCK_MONOTONIC"


def test_a_thread_that_is_born_and_never_runs_is_not_held_to_be_on_the_cpu() -> None:
    """perf tells of every birth in the namespace: such a thread may be somebody else's."""
    ledger = offcpu._Ledger(start_ns=0)
    ledger.born(99, 50)
    ledger.born(7, 40)
    ledger.switch(script.Header("fs", 1, 7, 60, "PERF_RECORD_SWITCH IN"), "IN")
    tid, start_ns, end_ns, why, _ = ledger.log.columns(4)
    assert list(zip(tid, start_ns, end_ns, why, strict=True)) == [(7, 0, 60, Off.ABSENT)]


def test_a_thread_that_has_ended_is_not_on_the_cpu_to_the_end_of_the_window(
    slept: Slept, symbols: Symbols
) -> None:
    """perf tells of no switch away: between its waits a thread is held to be on a CPU."""
    data, (start_ns, end_ns), _ = slept
    off = read_offcpu("perf", data, symbols, (start_ns, end_ns + 10**9))
    window = end_ns + 10**9 - start_ns
    away = {
        tid: (off.waits.end_ns - off.waits.start_ns)[off.waits.tid == tid].sum() for tid in set(off.waits.tid)
    }
    assert len(away) == 2
    assert all(away_ns > 0.9 * window for away_ns in away.values()), "both do next to nothing but wait"


def test_who_ends_and_was_never_seen_to_run_is_nobody_of_ours() -> None:
    ledger = offcpu._Ledger(start_ns=0)
    ledger.born(99, 50)
    ledger.ended(99, 60)
    ledger.ended(98, 60)
    switched(ledger, (70, "IN"))
    ledger.ended(7, 80)
    ledger.finish(100)
    tid, start_ns, end_ns, why, _ = ledger.log.columns(4)
    assert list(zip(tid, start_ns, end_ns, why, strict=True)) == [
        (7, 0, 70, Off.ABSENT),
        (7, 80, 100, Off.ABSENT),
    ]


SLEEP = RawStack("7f00 nanosleep (libc.so.6)")


def switched(ledger: offcpu._Ledger, *moments: tuple[int, str]) -> None:
    """Records of thread 7's switches."""
    for time_ns, way in moments:
        ledger.switch(script.Header("fs", 1, 7, time_ns, f"PERF_RECORD_SWITCH {way}"), way)


def slept_at(ledger: offcpu._Ledger, time_ns: int) -> None:
    """With the sample that perf takes of each switch away once it is enabled."""
    event = "1 sched:sched_switch: prev_comm=fs prev_pid=7 prev_prio=120 prev_state=S ==> next_comm=x"
    ledger.sample(script.Header("fs", 1, 7, time_ns, event), SLEEP)
    switched(ledger, (time_ns, "OUT"))


def test_switches_before_the_window_are_no_waits_in_it() -> None:
    """perf tells of them from its own start, while it is not enabled yet and records no stack."""
    ledger = offcpu._Ledger(start_ns=1000)
    switched(ledger, (100, "IN"), (200, "OUT"), (1300, "IN"))
    slept_at(ledger, 1400)
    ledger.finish(2000)
    assert sum(ledger.blocked.values()) == 600, (
        "what it slept before it came back has no stack, and counts as that"
    )
    assert ledger.before_window_ns == 300
    assert ledger.open_ns == 600


def test_a_thread_that_left_before_the_window_and_does_not_come_back_is_in_none_of_it() -> None:
    ledger = offcpu._Ledger(start_ns=1000)
    switched(ledger, (100, "IN"), (200, "OUT"))
    ledger.finish(2000)
    assert not ledger.blocked
    assert (ledger.before_window_ns, ledger.open_ns) == (0, 0)
    assert not ledger.threads[7].seen


def test_a_wait_with_a_stack_counts_from_the_windows_beginning() -> None:
    """Between perf's being enabled and the load."""
    ledger = offcpu._Ledger(start_ns=1000)
    slept_at(ledger, 900)
    switched(ledger, (1500, "IN"))
    assert sum(ledger.blocked.values()) == 500
    _, start_ns, end_ns, *_ = ledger.log.columns(4)
    assert (list(start_ns), list(end_ns)) == ([1000], [1500])


def test_no_thread_is_off_the_cpu_for_longer_than_the_window(
    golden: Path, monkeypatch: pytest.MonkeyPatch, symbols: Symbols
) -> None:
    text = (golden / "perf" / "offcpu.txt").read_text()
    monkeypatch.setattr(script, "run", lambda argv: iter([text]))
    outs = [line for line in text.splitlines() if "PERF_RECORD_SWITCH OUT" in line]
    start_ns, end_ns = (round(float(line.split()[2].strip(":")) * 1e9) + 1 for line in (outs[0], outs[-3]))
    off = read_offcpu("perf", golden / "perf" / "offcpu.txt", symbols, (start_ns, end_ns))
    assert off.switches == len(outs) - 2, "two are behind the window"
    for tid in set(off.waits.tid):
        mine = off.waits.tid == tid
        assert (off.waits.end_ns - off.waits.start_ns)[mine].sum() <= end_ns - start_ns
    assert off.waits.start_ns.min() >= start_ns
    assert off.waits.end_ns.max() <= end_ns
