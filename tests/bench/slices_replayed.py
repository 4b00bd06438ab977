"""Blocks and slices on the same recorded noise (tests/bench/noise): what each finds, and how often it is wrong.

Run it with the checkout's Python: `.venv/bin/python tests/bench/slices_replayed.py [EXPERIMENTS]` (200, the number
behind docs/method.md, if none is given; two minutes). Exit code 1 if false alarms or coverage are beyond their bounds
by more than three standard errors.

An experiment takes the next seconds of a series for each run or turn, from a random moment on, in an order that fuselab
itself has made; behind its end a series begins anew. What the variant moves is multiplied by what is planted. All
experiments of a design are asked again for each planted ratio. A series is of one mount, and of one load that was never
stopped: what differs from mount to mount, and what stopping costs, is not in it. Beside it stands noise that is made
up: the two machines on which docs/method.md simulates runs, whose drift goes on within a run.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.signal import lfilter

from fuselab.compare.multiple_testing import Claim, judge_family
from fuselab.compare.power import NOISY, QUIET, Noise
from fuselab.compare.schedule import FIXED_LEVEL, block_order, randseed, turns
from fuselab.compare.signed_rank import Floats, Interval, untied_batch
from fuselab.records.comparison import FASTER, INCONCLUSIVE, SLOWER
from fuselab.rig.turns import SETTLE_SHARE

sys.path.insert(0, str(Path(__file__).parents[2]))  # the checkout
from tests.bench.method_simulated import Report
from tests.bench.record_noise import NOISE, STEP_S, STEPS_OF_MACHINE, UNITS, Series, load

EXPERIMENTS = 200
PLANTED = (0.0, 0.02, 0.05, 0.10)
MOUNT_S = 2.0
"""Between two runs that follow each other, or two blocks of turns: unmount, gate, mount."""
CHANGE_S = 0.002
"""Between two turns."""
RUN_S = 3.0
"""Of load, where variants do not take turns."""
MADE_UP_S = 330.0
MADE_UP_RATE = 20_000.0
"""Requests a second of a machine that is made up."""
MADE_UP = {"noisy": NOISY, "quiet": QUIET}
SERIES_MADE_UP = 8
NAMES = ("baseline", "variant")
Orders = Callable[["Design", int, int], npt.NDArray[np.bool_]]
"""(design, block, seed): in which turns of a block it is the variant's, shape (rounds, 2)."""


def as_scheduled(design: Design, block: int, seed: int) -> npt.NDArray[np.bool_]:
    if design.rounds == 1:
        return _first(block_order(NAMES, block, seed))
    return _turns(design.rounds, randseed(seed, "w", block) % _SCHEDULES)


def alternating(design: Design, block: int, seed: int) -> npt.NDArray[np.bool_]:
    return np.tile(_first(NAMES), (design.rounds, 1))


_SCHEDULES = 256
"""Orders of turns that are really made; blocks choose among them."""


@cache
def _turns(rounds: int, seed: int) -> npt.NDArray[np.bool_]:
    return np.concatenate([_first(order) for order in turns(NAMES, rounds, seed)])


def _first(order: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    return np.array([[name == "variant" for name in order]])


@dataclass(frozen=True)
class Design:
    """So many blocks, each of `rounds` in which either variant loads for `turn_s`."""

    blocks: int
    rounds: int
    turn_s: float
    settle: float = SETTLE_SHARE
    """Share of a turn that is left out; of a run, its ramp."""
    orders: Orders = as_scheduled

    @property
    def load_s(self) -> float:
        return 2 * self.blocks * self.rounds * self.turn_s

    def begins(self) -> Floats:
        """Of all turns, shape (blocks, rounds, 2)."""
        pause = CHANGE_S if self.rounds > 1 else MOUNT_S
        block = np.arange(2 * self.rounds) * (self.turn_s + pause)
        blocks = np.arange(self.blocks) * (block[-1] + self.turn_s + MOUNT_S)
        return np.reshape(blocks[:, None] + block, (self.blocks, self.rounds, 2))


def runs(load_s: float) -> Design:
    """`design: blocks`."""
    return Design(round(load_s / 2 / RUN_S), 1, RUN_S)


def slices(load_s: float, turn_s: float, block_s: float = 4.8) -> Design:
    """`design: slices`; each block has `block_s` of load, or as much of it as whole groups of rounds have."""
    rounds = 4 * max(1, int(block_s / 2 / turn_s / 4 + 1e-9))
    return Design(round(load_s / (2 * rounds * turn_s)), rounds, turn_s)


@dataclass(frozen=True)
class Machine:
    """A series that goes on for ever."""

    series: Series

    def rates(self, begins: Floats, seconds: float) -> Floats:
        """Requests a second."""
        return np.asarray(_between(self.series.requests, STEP_S, begins, seconds) / seconds)

    def waited(self, begins: Floats, seconds: float) -> Floats:
        """Share of the time in which some task waited for a CPU, and that for a disk."""
        step_s = STEP_S * STEPS_OF_MACHINE
        columns = (self.series.cpu_us, self.series.io_us, self.series.steal_ticks * 1e4)
        return np.stack([_between(each, step_s, begins, seconds) / seconds / 1e6 for each in columns])


def drifting(noise: Noise, seed: int) -> Series:
    """A machine of the simulations, step by step: what scatters from run to run is white here, so that the mean of a
    run scatters by `run_sd`; an outlier is a run's time at which it does `outlier_factor` times less."""
    rng = np.random.default_rng(seed)
    steps, run = round(MADE_UP_S / STEP_S), round(RUN_S / STEP_S)
    phi = noise.drift_phi ** (STEP_S / (RUN_S + MOUNT_S))
    pushed = rng.normal(0, noise.drift_sd * np.sqrt(1 - phi**2), steps)
    pushed[0] = rng.normal(0, noise.drift_sd)
    drift = lfilter([1.0], [1.0, -phi], pushed)
    white = rng.normal(0, noise.run_sd * np.sqrt(run), steps)
    slow = np.repeat(rng.random(steps // run + 1) < noise.outlier_share, run)[:steps]
    rates = np.exp(-drift) * np.maximum(0, 1 - white) / np.where(slow, noise.outlier_factor, 1)
    none = np.zeros(steps // STEPS_OF_MACHINE)
    requests = (rates * MADE_UP_RATE * STEP_S).astype(np.uint16)
    return Series(UNITS["randwrite-16k"], requests, none, none, none, np.zeros(1, np.float32))  # type: ignore[arg-type]


def _between(done: npt.NDArray[np.number], step_s: float, begins: Floats, seconds: float) -> Floats:
    total = np.concatenate(([0.0], np.cumsum(done, dtype=np.float64)))
    whole = len(done) * step_s

    def until(at: Floats) -> Floats:
        times, rest = np.divmod(at, whole)
        return np.asarray(times * total[-1] + np.interp(rest, np.arange(len(total)) * step_s, total))

    return until(begins + seconds) - until(begins)


@dataclass(frozen=True)
class Taken:
    """Of one experiment. Rates are of shape (blocks, rounds)."""

    baseline: Floats
    variant: Floats
    waited_baseline: Floats
    waited_variant: Floats
    second: npt.NDArray[np.bool_]
    """Where the variant came second."""


def take(machine: Machine, design: Design, start_s: float, seed: int) -> Taken:
    begins = start_s + design.begins() + design.settle * design.turn_s
    seconds = (1 - design.settle) * design.turn_s
    mine = np.stack([design.orders(design, block, seed) for block in range(1, design.blocks + 1)])
    rates, waited = machine.rates(begins, seconds), machine.waited(begins, seconds)
    # The false one of each pair is the baseline's.
    place = np.argsort(mine, axis=2)
    rates = np.take_along_axis(rates, place, axis=2)
    waited = np.take_along_axis(waited, place[None], axis=3)
    return Taken(rates[..., 0], rates[..., 1], waited[..., 0], waited[..., 1], mine[..., 1])


Estimator = Callable[[Taken], Floats]
"""ln(variant / baseline) of each block."""


def summed(taken: Taken) -> Floats:
    """As fuselab does: all that was moved in all turns."""
    return np.asarray(np.log(taken.variant.sum(axis=1) / taken.baseline.sum(axis=1)))


def experiments(machines: Mapping[str, Machine], design: Design, estimator: Estimator, count: int) -> Floats:
    """d of each block of each experiment; they take turns with the series."""
    rng = np.random.default_rng(17)
    each = list(machines.values())
    found = []
    for number in range(count):
        machine = each[number % len(each)]
        start_s = rng.uniform(0, len(machine.series.requests) * STEP_S)
        found.append(estimator(take(machine, design, start_s, number)))
    return np.array(found)


@dataclass(frozen=True)
class Outcome:
    """Shares of experiments."""

    different: Mapping[float, float]
    decided: Mapping[float, float]
    covered: float
    half_width: float
    """Median, of the ratio's interval where nothing differs."""


def judged(d: Floats) -> Outcome:
    different, decided = {}, {}
    for planted in PLANTED:
        words = _verdicts(d + np.log1p(planted))
        decided[planted] = float(np.mean([word != INCONCLUSIVE for word in words]))
        different[planted] = float(np.mean([word.startswith((FASTER, SLOWER)) for word in words]))
    _, low, high, _ = untied_batch(d, FIXED_LEVEL)
    covered = float(((low <= 0) & (high >= 0)).mean())
    return Outcome(different, decided, covered, float(np.median(np.exp(high) - np.exp(low))) / 2)


def _verdicts(d: Floats) -> list[str]:
    figures = zip(*(part.tolist() for part in untied_batch(d, FIXED_LEVEL)), strict=True)
    found = []
    for middle, low, high, p in figures:
        ratio, low, high = np.exp([middle, low, high]).tolist()
        claim = Claim(Interval(d.shape[1], FIXED_LEVEL, ratio, low, high, p), "higher")
        found.append(judge_family([claim], family=1, looks=1, threshold=0.05)[0][0])
    return found


MINUTE_S, FIVE_MINUTES_S = 60.0, 300.0
TURNS_S = (0.02, 0.05, 0.1, 0.2, 0.5)


def designs(load_s: float) -> dict[str, Design]:
    return {
        "runs of 3 s": runs(load_s),
        **{f"turns of {1000 * t:.0f} ms": slices(load_s, t) for t in TURNS_S},
    }


def compared(which: str, machines: Mapping[str, Machine], report: Report) -> None:
    print(f"\n{which}")
    for load_s in (MINUTE_S, FIVE_MINUTES_S):
        print(f"\n{load_s:.0f} s of load. D: faster or slower; decided: D, or no difference shown.")
        print("In % of experiments in which 0 / 2 / 5 / 10 % are planted.")
        print(
            f"{'design':18}{'blocks':>7}{'load':>7}   {'D':28}{'decided':28}{'coverage':>9}{'half-width':>11}"
        )
        for name, design in designs(load_s).items():
            outcome = judged(experiments(machines, design, summed, report.experiments))
            alarms = report.bound(
                f"{which}: {name}, {load_s:.0f} s, false alarms", outcome.different[0.0], 0, 0.05
            )
            covered = report.bound(f"{which}: {name}, {load_s:.0f} s, coverage", outcome.covered, 0.94, 1)
            print(
                f"{name:18}{design.blocks:7}{design.load_s:5.0f} s   {_row(outcome.different, alarms):28}"
                f"{_row(outcome.decided):28}{covered:>9}{100 * outcome.half_width:10.2f} %"
            )


def _row(shares: Mapping[float, float], first: str = "") -> str:
    return " /".join(
        first.strip().rjust(5) if first and not p else f"{100 * share:5.1f}" for p, share in shares.items()
    )


def by_series(machines: Mapping[str, Machine], count: int) -> None:
    print("\nHalf-width after 60 s of load in %, by series, with its load average and rate.")
    names = designs(MINUTE_S)
    print(f"{'series':26}{'load':>12}{'MB/s':>7}" + "".join(f"{name:>17}" for name in names))
    for name, machine in machines.items():
        series = machine.series
        rate = series.requests.mean() / STEP_S * series.unit_bytes / 1e6
        widths = [
            judged(experiments({name: machine}, each, summed, count)).half_width for each in names.values()
        ]
        loads = f"{series.loadavg_1m.min():.1f} to {series.loadavg_1m.max():.1f}"
        print(f"{name:26}{loads:>12}{rate:7.0f}" + "".join(f"{100 * width:17.2f}" for width in widths))


def by_round(taken: Taken) -> Floats:
    """The mean of all rounds."""
    return np.asarray(_logs(taken).mean(axis=1))


def middle_round(taken: Taken) -> Floats:
    return np.asarray(np.median(_logs(taken), axis=1))


def trimmed(taken: Taken) -> Floats:
    """Without the tenth of rounds at either end."""
    ordered = np.sort(_logs(taken), axis=1)
    few = ordered.shape[1] // 10
    return np.asarray(ordered[:, few : ordered.shape[1] - few].mean(axis=1))


def without_order(taken: Taken) -> Floats:
    """What coming second is worth in this experiment is taken off."""
    d, sign = _logs(taken), np.where(taken.second, 1.0, -1.0)
    second = (d[taken.second].mean() - d[~taken.second].mean()) / 2
    return np.asarray((d - sign * second).mean(axis=1))


def less_what_waited(column: int) -> Estimator:
    """The slope on what the machine waited in the same turns, over all rounds of the experiment, is taken off."""

    def found(taken: Taken) -> Floats:
        d = _logs(taken)
        x = taken.waited_variant[column] - taken.waited_baseline[column]
        within = d - d.mean(axis=1, keepdims=True)
        spread = ((x - x.mean(axis=1, keepdims=True)) ** 2).sum()
        slope = (within * x).sum() / spread if spread else 0.0
        return np.asarray((d - slope * x).mean(axis=1))

    return found


def _logs(taken: Taken) -> Floats:
    few = np.full_like(taken.baseline, 0.5)  # a turn of a slow load may end none
    return np.asarray(np.log(np.maximum(taken.variant, few)) - np.log(np.maximum(taken.baseline, few)))


def beside_a_floor(machines: Mapping[str, Machine], count: int) -> Floats:
    """A third load in every round, which at best meets the very same noise; each turn is divided by its level there."""
    rng = np.random.default_rng(18)
    turn_s, rounds, blocks = 0.1, 16, 12
    step_s = turn_s + CHANGE_S
    each, found = list(machines.values()), []
    for number in range(count):
        machine = each[number % len(each)]
        begins = np.arange(blocks)[:, None] * (3 * rounds * step_s + MOUNT_S) + np.arange(3 * rounds) * step_s
        begins += rng.uniform(0, len(machine.series.requests) * STEP_S)
        logs = np.log(
            np.maximum(machine.rates(begins + SETTLE_SHARE * turn_s, (1 - SETTLE_SHARE) * turn_s), 0.5)
        )
        d = []
        for block in range(blocks):
            whose = np.concatenate([rng.permutation(3) for _ in range(rounds)])
            floor = np.interp(np.arange(3 * rounds), np.flatnonzero(whose == 2), logs[block, whose == 2])
            left = logs[block] - floor
            d.append(left[whose == 1].mean() - left[whose == 0].mean())
        found.append(d)
    return np.array(found)


def tried(machines: Mapping[str, Machine], count: int) -> None:
    print("\nWhat else was tried: 60 s of load in turns of 100 ms, unless it says so.")
    print(f"{'what':60}{'half-width':>11}{'coverage':>10}{'5 % found':>11}")
    base = slices(MINUTE_S, 0.1)
    estimators: dict[str, Estimator] = {
        "all bytes of a block / their time (what fuselab does)": summed,
        "mean of ln(ratio) over rounds": by_round,
        "median of rounds": middle_round,
        "mean of rounds, a tenth at either end left out": trimmed,
        "mean of rounds, order as covariate": without_order,
        "mean of rounds, time that others wait for a CPU as covariate": less_what_waited(0),
        "mean of rounds, time that others wait for a disk as covariate": less_what_waited(1),
        "mean of rounds, stolen time as covariate": less_what_waited(2),
    }
    for name, estimator in estimators.items():
        _tried(name, experiments(machines, base, estimator, count))
    for settle in (0.0, 0.2, 0.5):
        _tried(
            f"the first {settle:.0%} of a turn left out",
            experiments(machines, replace(base, settle=settle), summed, count),
        )
    fixed = replace(base, orders=alternating)
    _tried("always the same first", experiments(machines, fixed, summed, count))
    for block_s in (2.4, 9.6):
        design = slices(MINUTE_S, 0.1, block_s)
        _tried(
            f"{design.blocks} blocks instead of {base.blocks}", experiments(machines, design, summed, count)
        )
    long = slices(FIVE_MINUTES_S, 0.1, 24.0)
    _tried(f"five minutes as {long.blocks} long blocks", experiments(machines, long, summed, count))
    _tried("five minutes as more blocks", experiments(machines, slices(FIVE_MINUTES_S, 0.1), summed, count))
    _tried("a floor in a third of the turns, which meets the same noise", beside_a_floor(machines, count))
    rounds = experiments(machines, base, lambda taken: _logs(taken).ravel(), count)
    _tried("interval over rounds, as if each were a block", rounds)


def _tried(name: str, d: Floats) -> None:
    outcome = judged(d)
    print(
        f"{name:60}{100 * outcome.half_width:9.2f} %{100 * outcome.covered:10.1f}{100 * outcome.different[0.05]:11.1f}"
    )


def main() -> int:
    report = Report(int(sys.argv[1]) if len(sys.argv) > 1 else EXPERIMENTS)
    machines = {path.stem: Machine(load(path)) for path in sorted(NOISE.glob("*.npz"))}
    compared("Recorded noise", machines, report)
    for name, noise in MADE_UP.items():
        made_up = {str(seed): Machine(drifting(noise, seed)) for seed in range(SERIES_MADE_UP)}
        compared(f"Noise that is made up: {name}", made_up, report)
    by_series(machines, report.experiments)
    tried(machines, report.experiments)
    if report.off:
        print("\nOff:", *report.off, sep="\n  ")
    return int(bool(report.off))


if __name__ == "__main__":
    sys.exit(main())
