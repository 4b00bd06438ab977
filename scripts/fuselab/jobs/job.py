"""The frame of every job: its output goes to its own log, and what a user did wrong is said without a traceback."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fuselab.checksums import require_unchanged
from fuselab.errors import FuselabError
from fuselab.files import unusable
from fuselab.records.places import is_summed
from fuselab.screen import keep_screen, on_screen
from fuselab.system.namespaces import PARENT, follow_parent

_INTERRUPTED = 128 + signal.SIGINT

if PARENT in os.environ:  # a job: before its script goes on to imports that take seconds
    follow_parent()


@contextmanager
def job(snakemake: Any) -> Iterator[Any]:
    """Run a script's one call with stdout and stderr in the job's log; a known error is its last lines, exit 1.

    A job whose Snakemake was killed ends too: the next call may be making the same file already. Yields Snakemake's
    object, so that a script reads `with job(snakemake) as step:`.
    """
    follow_parent()
    try:
        log = open(snakemake.log[0], "w", buffering=1)  # noqa: SIM115  closed with the process
        keep_screen()
        os.dup2(log.fileno(), 1)
        os.dup2(log.fileno(), 2)
        require_unchanged(filter(is_summed, map(Path, dict.fromkeys(snakemake.input))))
        yield snakemake
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
