"""Clusters that jobs can be handed to: `profiles/<name>/` says how."""

from __future__ import annotations

from importlib.util import find_spec

from fuselab.commands.common import fail
from fuselab.programs import installed

CLUSTERS = ("slurm",)


def require_cluster(on: str) -> None:
    """End with the mend where nothing here can submit to `on`."""
    if not installed("sbatch"):
        fail(f"{on}: there is no `sbatch` on PATH: call this where you submit jobs to slurm")
    if find_spec(f"snakemake_executor_plugin_{on}") is None:
        fail(f"{on}: what submits jobs is not installed: make setup-cluster")
