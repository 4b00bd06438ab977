"""Clusters that jobs can be handed to: `profiles/<name>/` says how."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path

from fuselab.commands.common import fail
from fuselab.programs import installed
from fuselab.project import find

CLUSTERS = ("slurm",)
_SRUN = {"slurm_partition": "partition", "slurm_account": "account"}
"""What a profile says of the jobs of all rules -> the option of slurm's programs."""


def require_cluster(on: str) -> None:
    """End with the mend where nothing here can submit to `on`."""
    if not installed("sbatch"):
        fail(f"{on}: there is no `sbatch` on PATH: call this where you submit jobs to slurm")
    if find_spec(f"snakemake_executor_plugin_{on}") is None:
        fail(f"{on}: what submits jobs is not installed: make setup-cluster")


def require_answer(root: Path) -> None:
    """End with what it says where slurm does not answer, before anything is built for it."""
    from fuselab.doctor.nodes import nodes

    with told():
        nodes(srun_options(root))


@contextmanager
def told() -> Iterator[None]:
    """Whoever asks slurm inside ends with slurm's own words where it does not answer."""
    try:
        yield
    except subprocess.CalledProcessError as error:
        fail(f"slurm does not answer: {error.stderr.strip()}")


def srun_options(root: Path) -> list[str]:
    """Where the profile of the project `root` has jobs run, in options of slurm's programs."""
    import yaml

    profile = yaml.safe_load(find(root, "profiles/slurm/config.yaml").read_text())
    said = profile.get("default-resources", {})
    return [f"--{option}={str(said[key]).strip(chr(39))}" for key, option in _SRUN.items() if key in said]
