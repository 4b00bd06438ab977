"""Faults at random moments of a real experiment: what each leaves behind, loses, or turns into a wrong figure.

Usage: python -m tests.faults.matrix [--rounds N] [--seed N] [--only FAULT ...]

Every round wants some blocks of an experiment, does one fault to whoever makes them, looks what is left, and calls
again. The load is held to 8 MiB/s by fio itself: whatever a fault does, a figure far from that is wrong, and so is one
that is not what fio.json says. The seed decides the moments and the victims; what a moment meets is the machine's.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path

from tests.mount.conftest import Workspace, fuse_mounts, new_workspace
from tests.mount.processes import naming

CHECKOUT = Path(__file__).resolve().parents[2]
RATE_BYTES_PER_S = 8 << 20
TOLERANCE = 0.15
NAME = "faults"
TARGET = f"results/{NAME}/comparisons.csv"
EXPERIMENT = """
title: faults
variants: {directory: {target: directory}, bindfs: {target: bindfs}}
workloads: {w: {fio: {rw: write, bs: 64k, size: 8m, runtime: 1s, rate: 8m}}}
blocks: 4
"""
GONE_S = 5.0
CALL_S = 600.0
VICTIM_S = 60.0
_EARLY = 0.4
"""Of a call's usual time, in which a fault to one process of a run begins to look for it: later there may be none."""


class MissedError(Exception):
    """There was nobody to do the fault to."""


@dataclass
class Round:
    """One experiment with a call that goes on, and a source of chance."""

    room: Workspace
    chance: random.Random
    usual_s: float
    """How long a call takes that nothing disturbs."""
    call: subprocess.Popen[str] | None = None
    hurt: set[Path] = field(default_factory=set)
    """Blocks that the fault itself has changed."""

    @property
    def blocks(self) -> Path:
        return self.room.root / "results" / NAME / "blocks"

    def begin(self, share: float = 1.0) -> subprocess.Popen[str]:
        """Start the call, and let it go on for a random part of `share` of its usual time."""
        self.call = self.room.start(TARGET)
        time.sleep(self.chance.uniform(0.0, share * self.usual_s))
        return self.call

    def victim(self, *words: str) -> int:
        """A process of the call whose command line has all `words`; the first to come if there is none yet."""
        assert self.call is not None
        deadline = time.monotonic() + VICTIM_S
        while self.call.poll() is None and time.monotonic() < deadline:
            found = [p.pid for p in naming(self.room.root) if all(word in p.command for word in words)]
            if found:
                return self.chance.choice(found)
            time.sleep(0.01)
        raise MissedError

    def finished(self) -> list[Path]:
        return sorted(path.parent for path in self.blocks.glob("*/*/*/block.json"))


def _main_killed_by(number: int) -> Callable[[Round], None]:
    def fault(at: Round) -> None:
        call = at.begin()
        if call.poll() is not None:
            raise MissedError
        if number == signal.SIGINT:
            os.killpg(call.pid, number)  # as a terminal does
        else:
            call.send_signal(number)
        call.communicate(timeout=CALL_S)

    return fault


def _killed(*words: str) -> Callable[[Round], None]:
    def fault(at: Round) -> None:
        call = at.begin(_EARLY)
        with_pid = at.victim(*words)
        try:
            os.kill(with_pid, signal.SIGKILL)
        except ProcessLookupError:
            raise MissedError from None
        finally:
            call.communicate(timeout=CALL_S)

    return fault


def _stopped(*words: str) -> Callable[[Round], None]:
    def fault(at: Round) -> None:
        call = at.begin(_EARLY)
        victim = at.victim(*words)
        try:
            os.kill(victim, signal.SIGSTOP)
            time.sleep(at.chance.uniform(0.5, 2.0))
            os.kill(victim, signal.SIGCONT)
        except ProcessLookupError:
            raise MissedError from None
        finally:
            call.communicate(timeout=CALL_S)

    return fault


def _changed(change: Callable[[Path, random.Random], None], pattern: str) -> Callable[[Round], None]:
    """A file of a finished block changes between two calls, and what was derived from it is gone."""

    def fault(at: Round) -> None:
        files = sorted(path for block in at.finished() for path in block.glob(pattern))
        if not files:
            raise MissedError
        victim = at.chance.choice(files)
        at.hurt.add(next(block for block in at.finished() if victim.is_relative_to(block)))
        change(victim, at.chance)
        for name in ("metrics.csv", "comparisons.csv"):
            (at.blocks.parent / name).unlink(missing_ok=True)

    return fault


def _more(path: Path, chance: random.Random) -> None:
    text = json.loads(path.read_text())
    for direction in text["jobs"][0].values():
        if isinstance(direction, dict) and direction.get("io_bytes"):
            direction["io_bytes"] *= 9
            direction["bw_bytes"] *= 9
    path.write_text(json.dumps(text))


def _cut(path: Path, chance: random.Random) -> None:
    os.truncate(path, chance.randrange(path.stat().st_size))


def _zeroed(path: Path, chance: random.Random) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def _deleted(path: Path, chance: random.Random) -> None:
    path.unlink()


FAULTS: dict[str, Callable[[Round], None]] = {
    "kill -9 of snakemake": _main_killed_by(signal.SIGKILL),
    "SIGTERM to snakemake": _main_killed_by(signal.SIGTERM),
    "Ctrl-C": _main_killed_by(signal.SIGINT),
    "kill -9 of a job": _killed(".snakemake/scripts/"),
    "kill -9 of the wall": _killed("unshare", "--mount"),
    "kill -9 of the rig": _killed("-m fuselab.rig.init"),
    "kill -9 of the target": _killed("bindfs -f"),
    "kill -9 of the load": _killed("fio", "load.fio"),
    "the rig stopped": _stopped("-m fuselab.rig.init"),
    "the target stopped": _stopped("bindfs -f"),
    "the load stopped": _stopped("fio", "load.fio"),
    "a figure changed": _changed(_more, "*/fio.json"),
    "a figure cut": _changed(_cut, "*/fio.json"),
    "a record zeroed": _changed(_zeroed, "*/run.json"),
    "a record cut": _changed(_cut, "block.json"),
    "a file deleted": _changed(_deleted, "*/*.json"),
}


def play(room: Workspace, fault: str, seed: int, usual_s: float) -> Counter[str]:
    """One round: the fault, what it leaves, and the call after it. Prints what was found; counts it."""
    at = Round(room, random.Random(f"{seed} {fault}"), usual_s)
    wanted = at.finished()
    for block in at.chance.sample(wanted, k=min(2, len(wanted))):
        shutil.rmtree(block)
    kept, mounts, state = _marks(at.finished()), fuse_mounts(), Counter({"tried": 1})
    try:
        FAULTS[fault](at)
    except MissedError:
        state["missed"] += 1
    left = _left(room, mounts)
    done = room.snakemake(TARGET, timeout=CALL_S)
    for _ in range(2):  # words that name the fault, and the next call heals it: as is promised
        if done.returncode != 0 and "Traceback" not in done.stdout:
            state["calls again"] += 1
            done = room.snakemake(TARGET, timeout=CALL_S)
    left += _left(room, mounts)
    if done.returncode != 0 or "Traceback" in done.stdout:
        state["calls failed"] += 1
        print(done.stdout[-3000:])
    after = _marks(at.finished())
    lost = [path for path, mark in kept.items() if path not in at.hurt and after.get(path) != mark]
    wrong = _wrong(room)
    state.update({"left": len(left), "blocks lost": len(lost), "wrong figures": len(wrong)})
    for what in (*left, *map(str, lost), *wrong):
        print(f"    {what}")
    return state


def _marks(blocks: Iterable[Path]) -> dict[Path, tuple[int, int]]:
    """What tells a block from another that was made in its place."""
    return {block: (block.stat().st_ino, (block / "block.json").stat().st_mtime_ns) for block in blocks}


def _left(room: Workspace, mounts: set[str]) -> list[str]:
    """Processes, mounts, temporary files and state of runs, some seconds after the call has ended."""
    deadline = time.monotonic() + GONE_S
    while naming(room.root) and time.monotonic() < deadline:
        time.sleep(0.1)
    temporary = [str(path) for path in (room.root / "tmp").iterdir()]
    return [*map(str, naming(room.root)), *sorted(fuse_mounts() - mounts), *temporary]


def _wrong(room: Workspace) -> list[str]:
    """Figures that are not those of fio, or not the planted one though nothing is said of noise; and state left."""
    found = [str(path) for path in (room.root / "results/state").glob("fuselab-*")]
    table = room.root / "results" / NAME / "metrics.csv"
    if not table.is_file():
        return [*found, "no metrics.csv"]
    with table.open() as file:
        rows = [row for row in csv.DictReader(file) if row["metric"] == "write.bw"]
    for row in rows:
        (block,) = room.root.glob(f"results/{NAME}/blocks/w/*/{int(row['block']):03d}")
        write = json.loads((block / row["variant"] / "fio.json").read_text())["jobs"][0]["write"]
        truth, value = write["io_bytes"] * 1000 / write["runtime"], float(row["value"])
        if abs(value / truth - 1) > 0.01 or abs(value / RATE_BYTES_PER_S - 1) > TOLERANCE:
            found.append(f"block {row['block']}, {row['variant']}: {value:.0f} B/s; fio.json: {truth:.0f}")
    return found if len(rows) == 8 else [*found, f"{len(rows)} of 8 figures"]


def prepare(folder: Path) -> tuple[Workspace, float]:
    """The experiment, made once without a fault, and how long half of it takes."""
    room = new_workspace(folder, CHECKOUT)
    (folder / "tmp").mkdir()
    os.environ["TMPDIR"] = str(folder / "tmp")
    room.experiment(NAME, EXPERIMENT)
    room.make(TARGET)
    for block in sorted((folder / "results" / NAME / "blocks").glob("*/*/*"))[:2]:
        shutil.rmtree(block)
    started = time.monotonic()
    room.make(TARGET)
    return room, time.monotonic() - started


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=2, help="of all faults")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", nargs="*", default=list(FAULTS), choices=list(FAULTS))
    options = parser.parse_args()
    results: dict[str, Counter[str]] = {fault: Counter() for fault in options.only}
    with tempfile.TemporaryDirectory(prefix="fuselab-faults-") as folder:
        room, usual_s = prepare(Path(folder))
        for number in range(options.rounds):
            for fault in options.only:
                seed = options.seed + number
                print(f"seed {seed}: {fault}", flush=True)
                results[fault] += play(room, fault, seed, usual_s)
    columns = ("tried", "missed", "calls again", "left", "blocks lost", "wrong figures", "calls failed")
    print(f"\n{'fault':24}" + "".join(f"{name:>15}" for name in columns))
    for fault, counts in {**results, "all": sum(results.values(), Counter())}.items():
        print(f"{fault:24}" + "".join(f"{counts[name]:15}" for name in columns))
    total = sum(results.values(), Counter())
    return int(any(total[name] for name in ("left", "blocks lost", "wrong figures", "calls failed")))


if __name__ == "__main__":
    sys.exit(main())
