"""How long the rest will take, beside what Snakemake itself says of each job that is measured or built."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from fuselab.experiment.plan import Plan
from fuselab.workflow.estimate import parts_of
from fuselab.workflow.progress import Progress, learn_look
from fuselab.workflow.telling import event_of


def tell_time_left(plans: Mapping[str, Plan], root: Path) -> None:
    """From now on the screen has it. `plans` are those of the reports that are asked for, by their experiments."""
    progress = Progress({name: parts_of(plan, root) for name, plan in plans.items()})
    logging.getLogger("snakemake.logging").addFilter(TimeLeft(progress, root))


class TimeLeft(logging.Filter):
    def __init__(self, progress: Progress, root: Path, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._progress = progress
        self._root = root
        self._clock = clock

    def filter(self, record: logging.LogRecord) -> bool:
        event, now_s = event_of(record), self._clock()
        if event is None:
            return True
        if event.kind == "begun":
            self._progress.begun(event, now_s)
            if self._progress.counts(event) and (left := self._progress.left(now_s)):
                record.rule_msg = f"{event.words}, {left}"
        elif (begun := self._progress.ended(event.job, now_s)) and event.kind == "done":
            learn_look(self._progress, begun, self._root)
        return True
