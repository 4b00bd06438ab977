"""What Snakemake tells whoever has started it and shows its progress himself: one line of JSON for each event."""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

FOLLOWED = "FUSELAB_FOLLOWED"
"""In Snakemake's environment: somebody has started it and says himself what came of it. Its value is the descriptor
that he hears the events on, and then the screen is his too; empty if he leaves it to Snakemake.
"""

_OF_A_JOB = "RuleException"
"""What Snakemake says of a job that has failed before it tells which: the log of the job says more."""


@dataclass(frozen=True)
class Event:
    """A job has begun, is done or has failed; or Snakemake itself says why it cannot go on."""

    kind: Literal["begun", "done", "failed", "refused"]
    job: int = -1
    rule: str = ""
    """Of a job that has begun or failed."""
    wildcards: Mapping[str, str] = field(default_factory=dict)
    """Of a job that has begun."""
    words: str = ""
    """A rule's `message`, or Snakemake's."""
    logs: tuple[str, ...] = ()
    """Of a job that has failed."""


_follower: list[str] = []


def is_followed() -> bool:
    """Whether somebody else says what came of this call; known once `tell_follower` was called."""
    return bool(_follower)


def tell_follower() -> None:
    """From now on tell whoever follows this call, if he asked for it, and leave the screen to him.

    Snakemake's own file below `.snakemake/log/` gets what it always gets. No job knows of it: a target's environment
    is the same, whoever has started the call.
    """
    if (number := os.environ.pop(FOLLOWED, None)) is None:
        return
    _follower[:] = [number]
    if not number:
        return
    os.set_inheritable(int(number), False)
    logger = logging.getLogger("snakemake.logging")
    for handler in logger.handlers:
        if isinstance(handler, logging.StreamHandler) and not isinstance(handler, logging.FileHandler):
            handler.setLevel(logging.CRITICAL + 1)
    logger.addHandler(_Teller(int(number)))


class _Teller(logging.Handler):
    def __init__(self, descriptor: int) -> None:
        super().__init__(logging.INFO)
        self._descriptor = descriptor

    def emit(self, record: logging.LogRecord) -> None:
        if (event := event_of(record)) is not None:
            with suppress(OSError):  # he has gone, and we shall follow
                os.write(self._descriptor, msgspec.json.encode(event) + b"\n")


def event_of(record: logging.LogRecord) -> Event | None:
    """What a record of Snakemake's logger tells; None if it is nothing to follow."""
    said: dict[str, Any] = vars(record)
    match str(said.get("event")):
        case "job_info":
            wildcards = {name: str(value) for name, value in (said["wildcards"] or {}).items()}
            return Event("begun", said["jobid"], said["rule_name"], wildcards, said["rule_msg"] or "")
        case "job_finished":
            return Event("done", said["job_id"])
        case "job_error":
            return Event("failed", said["jobid"], said["rule_name"], logs=tuple(map(str, said["log"])))
    if record.levelno < logging.ERROR or said.get("exception") == _OF_A_JOB:
        return None
    return Event("refused", words=record.getMessage())
