"""The frame of every job: its output goes to its own log, and what a user did wrong is said without a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from fuselab.checksums import require_unchanged
from fuselab.errors import FuselabError
from fuselab.files import unusable
from fuselab.records.places import is_summed
from fuselab.screen import keep_screen, on_screen
from fuselab.system.namespaces import PARENT, follow_parent

T = TypeVar("T")
_INTERRUPTED = 128 + signal.SIGINT

if PARENT in os.environ:  # a job: before its script goes on to imports that take seconds
    follow_parent()


@dataclass(frozen=True)
class Step:
    """What a rule gives to its script. A job reads what stands there, and looks for no file beside it."""

    snakemake: Any

    def path(self, name: str) -> Path:
        """Of an input that is one file or folder."""
        return Path(getattr(self.snakemake.input, name))

    def paths(self, name: str) -> list[Path]:
        return [Path(path) for path in getattr(self.snakemake.input, name)]

    def out(self, name: str = "") -> Path:
        return Path(getattr(self.snakemake.output, name) if name else self.snakemake.output[0])

    def file(self, name: str) -> Path:
        """Of a parameter that is a file of the user's: `Workflow` says what is in it, and so when to read it again."""
        return Path(self.param(name, dict)["path"])

    def wildcard(self, name: str) -> str:
        return str(getattr(self.snakemake.wildcards, name))

    def param(self, name: str, kind: type[T]) -> T:
        """A parameter, which the rule has made plain data of, or has put in a `Told`."""
        value = getattr(self.snakemake.params, name)
        told = getattr(value, "value", value)
        return told if type(told) is kind else msgspec.convert(told, kind)


@contextmanager
def job(snakemake: Any) -> Iterator[Step]:
    """Run a script's one call with stdout and stderr in the job's log; a known error is its last lines, exit 1.

    A job whose Snakemake was killed ends too: the next call may be making the same file already.
    """
    follow_parent()
    try:
        log = open(snakemake.log[0], "w", buffering=1)  # noqa: SIM115  closed with the process
        keep_screen()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        require_unchanged(filter(is_summed, map(Path, dict.fromkeys(snakemake.input))))
        yield Step(snakemake)
    except FuselabError as error:
        print(f"\n{error}", file=sys.stderr, flush=True)
        sys.exit(1)
    except KeyboardInterrupt:
        sys.exit(_INTERRUPTED)
    except OSError as error:
        if (words := unusable(error)) is None:
            raise
        on_screen(f"\n{words}")  # the log may lie there, too
        sys.exit(1)
