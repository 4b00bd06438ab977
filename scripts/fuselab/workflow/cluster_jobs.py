"""Jobs that a killed Snakemake has left with slurm: nobody waits for them, and the next call makes the same files."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

_RUN = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
"""What the executor plugin calls all jobs of one Snakemake."""
_LOGS = "slurm_logs"
_ENDED_WITHIN_S, _ASKED_S = 90.0, 30.0


def end_jobs_of_the_dead(root: Path) -> None:
    """Cancel the caller's jobs that a Snakemake has submitted in `root`, and wait until slurm has none of them.

    Only for who knows that none lives there. Ends Snakemake where slurm cannot be asked, or does not end them.
    """
    if not (root / ".snakemake" / _LOGS).is_dir() or shutil.which("squeue") is None:
        return
    if not (jobs := _left(root)):
        return
    said = ", ".join(jobs)
    print(
        f"slurm still had jobs of a snakemake that was killed here, and cancels them: {said}", file=sys.stderr
    )
    _ask("scancel", "--full", *jobs)
    deadline = time.monotonic() + _ENDED_WITHIN_S
    while _left(root):
        if time.monotonic() > deadline:
            raise SystemExit(
                f"\nslurm has not ended jobs of a snakemake that was killed here: scancel --full {said}"
            )
        time.sleep(1)


def _left(root: Path) -> list[str]:
    """Numbers of those that are waiting or running."""
    rows = (
        line.split("|", 3)
        for line in _ask("squeue", "--me", "--noheader", "--format=%A|%j|%k|%Z").splitlines()
    )
    return [
        number
        for number, name, comment, folder in rows
        if _RUN.fullmatch(name) and comment.startswith("rule_") and Path(folder).resolve() == root.resolve()
    ]


def _ask(*argv: str) -> str:
    try:
        return subprocess.run(argv, capture_output=True, text=True, check=True, timeout=_ASKED_S).stdout
    except (OSError, subprocess.SubprocessError) as error:
        why = str(getattr(error, "stderr", None) or error).strip()
        raise SystemExit(
            f"\n{argv[0]} does not say whether jobs of an earlier call are still at work on the same files: {why}"
        ) from None
