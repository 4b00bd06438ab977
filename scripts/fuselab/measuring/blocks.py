"""Timing a block: every variant once, next to each other in time; again what fails, or all of it on a busy machine."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from fuselab.checksums import fault
from fuselab.measuring import anew
from fuselab.measuring.attempts import (
    NO_PATIENCE,
    BlockTask,
    before,
    failure_of,
    new_attempt,
    requested,
    run,
    say,
    settle,
)
from fuselab.measuring.retries import again, given_up, needed
from fuselab.records.block import (
    LEFT_OUT,
    BlockRecord,
    VariantOutcome,
    Void,
    earlier_blocks,
    failures_of,
    read_block,
    standing,
)
from fuselab.records.places import BLOCK, numbered
from fuselab.records.request import RunRequest
from fuselab.records.run import RunRecord
from fuselab.records.slices import SLICES, Slice
from fuselab.records.table import write_rows
from fuselab.records.verified import Verified, read_verified
from fuselab.rig.turns import take_turns
from fuselab.targets.model import CounterSources

QUIET_ATTEMPTS = 2
"""How often a block waits for a quiet machine; the next attempt is kept, and marked, however noisy it was."""


def time_block(task: BlockTask, verified: Sequence[Path], out: Path) -> None:
    """Run every variant once, in `task.order`, and again what fails; the whole block again when the machine was busy.

    A variant that does not complete is left out of this block and recorded as failed, and so is whoever would have
    been compared with it alone. When the machine is too busy in every attempt, the last one is kept and marked.
    Neither looks at what was measured.
    """
    Block(task, {v.variant: v for v in map(read_verified, verified)}, out).make()


class Block:
    """One block while it is made."""

    def __init__(self, task: BlockTask, verified: Mapping[str, Verified], out: Path) -> None:
        self._task = task
        self._out = out
        self._earlier = earlier_blocks(out)
        self._old = before(out, BLOCK, BlockRecord)
        self._voided: list[Void] = []
        self._attempts = 0
        self._lost: dict[str, str] = {}
        """Why those are not run (any more) who are not."""
        for name, config in task.mounts.items():
            if config.variant in verified and verified[config.variant].status == "failed":
                self._lost[name] = verified[config.variant].reason or ""
            elif given_up(so_far := standing(self._earlier, name)):
                self._lost[name] = so_far.failures[-1].reason

    def make(self) -> None:
        kept = self._kept()
        if kept is not None and self._old is not None and self._fails_again(self._old):
            anew.done(kept)
            settle(kept, BLOCK, self._record(self._old.noisy), self._out)
            return
        once = self._in_turns if self._task.rounds else self._once
        noisy = None
        while noisy is None:
            attempt = self._attempt()
            busy = sum(void.cause == "environment" for void in self._voided)
            noisy = once(attempt, keep_noisy=busy >= _patience(self._out))
        settle(attempt, BLOCK, self._record(noisy), self._out)

    def _kept(self) -> Path | None:
        """The block that was set aside, if it can stand: this code has measured it, and it is as it was recorded.

        What other code has measured is not mixed with what this one does; new sums would vouch for what has changed.
        """
        if self._old is None or self._old.code != self._task.code:
            return None
        kept = anew.kept(self._out)
        return kept if kept is not None and fault(kept) is None else None

    def _fails_again(self, old: BlockRecord) -> bool:
        """Whether those who failed in the block that was set aside do it again: then what is in it stands.

        Each runs alone first. Only beside one who completes are the others measured again, for runs of different
        days are no block.
        """
        for name in self._order():
            failed = old.variants[name].status == "failed" if name in old.variants else False
            if failed and standing(self._earlier, name).completed == 0:
                self._run(name, self._attempt())
        return all(name in old.variants and old.variants[name].status == "ok" for name in self._order())

    def _order(self) -> list[str]:
        return needed(self._task.order, self._task.pairs, self._lost)

    def _once(self, attempt: Path, keep_noisy: bool) -> bool | None:
        """One attempt of a block: whether any of its runs was noisy; None if it does not count."""
        noisy = False
        for name in self._order():
            if name not in self._order():  # lost since: whoever is compared with the one that failed
                continue
            record = self._run(name, attempt)
            if record.status == "void":
                if not keep_noisy:
                    self._noisy(name, record.reason)
                    return None
                noisy = True
        return noisy

    def _in_turns(self, attempt: Path, keep_noisy: bool) -> bool | None:
        """The same, with all runs at once and loads that take turns. If one fails, nothing of the attempt counts."""
        names = self._order()
        if not names:
            return False
        requests = {name: self._request(name, attempt / name) for name in names}
        rounds = [[name for name in order if name in requests] for order in self._task.rounds]
        taken = take_turns(requests, rounds, self._task.slice_s)
        failed = [name for name, record in taken.records.items() if record.status == "failed"]
        for name in failed:
            self._failed(name, taken.records[name])
        if failed:
            return None
        write_rows(attempt / SLICES, Slice, taken.slices)
        void = [(name, record.reason) for name, record in taken.records.items() if record.status == "void"]
        if taken.noise is not None:
            void.append((names[0], taken.noise))
        if void and not keep_noisy:
            self._noisy(*void[0])
            return None
        return bool(void)

    def _run(self, name: str, attempt: Path) -> RunRecord:
        """A run, and again as long as it fails and there is use in that. What failed lies beside the attempt."""
        while True:
            folder = attempt / name
            record = run(self._request(name, folder))
            if record.status != "failed":
                return record
            os.rename(folder, self._attempt() / name)
            self._failed(name, record)
            if name in self._lost:
                return record

    def _failed(self, name: str, record: RunRecord) -> None:
        """Note a run that failed; its variant is lost once there is no use in another one."""
        failure = failure_of(record)
        self._note(Void(self._attempts, name, "target", failure.reason, failure.fault))
        if not again((*standing(self._earlier, name).failures, *failures_of(name, self._voided))):
            self._lost[name] = failure.reason

    def _noisy(self, name: str, reason: str | None) -> None:
        self._note(Void(self._attempts, name, "environment", reason or ""))

    def _request(self, name: str, folder: Path) -> RunRequest:
        task = self._task
        load = replace(task.own_loads.get(name, task.load), randseed=task.randseed)
        # Only timed runs count as part of a block for whoever reads run.json: cost runs may carry a profiler.
        number = int(self._out.name)
        counted = {"block": number} if task.purpose == "timed" else {"repeat": number}
        asked = task.counters.get(name, CounterSources())
        return requested(task.purpose, task, task.mounts[name], load, folder, **counted, counters=asked)

    def _attempt(self) -> Path:
        self._attempts += 1
        task = self._task
        return new_attempt(task.experiment, task.purpose, task.load.workload, *self._out.parts[-2:])

    def _note(self, void: Void) -> None:
        self._voided.append(void)
        say(f"attempt {void.attempt}: {void.variant}: {void.reason}")

    def _record(self, noisy: bool) -> BlockRecord:
        task, ran = self._task, set(self._order())
        earlier = [void for void in self._old.voided if void.cause == "target"] if self._old else []
        voided, outcomes = (*earlier, *self._voided), {}
        for name in task.order:
            tries = len(failures_of(name, voided))
            if name in ran:
                outcomes[name] = VariantOutcome("ok", tries=tries + 1)
            elif name in self._lost:
                outcomes[name] = VariantOutcome("failed", self._lost[name], tries)
            else:
                outcomes[name] = VariantOutcome("left out", LEFT_OUT, tries)
        return BlockRecord(
            block=int(self._out.name),
            workload=task.load.workload,
            purpose=task.purpose,
            order=task.order,
            randseed=task.randseed,
            variants=outcomes,
            attempts=len(voided) + 1,
            voided=voided,
            noisy=noisy,
            code=task.code,
        )


def _patience(out: Path) -> int:
    """How often this block may wait for a quiet machine: after one that waited in vain not at all, but for every
    fourth, so that a busy machine costs hours and not days. It looks at numbers of blocks, never at figures.
    """
    if NO_PATIENCE in os.environ:
        return 0
    number = int(out.name)
    before = out.with_name(numbered(number - 1)) / BLOCK
    if number % 4 == 1 or not before.is_file():
        return QUIET_ATTEMPTS
    return 0 if read_block(before.parent).noisy else QUIET_ATTEMPTS
