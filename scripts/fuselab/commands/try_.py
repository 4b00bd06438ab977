"""`fuselab try`: any FUSE command line against the bare directory, without a line of YAML."""

from __future__ import annotations

import csv
import shutil
import subprocess
import sys
from pathlib import Path

import click

from fuselab.commands.common import errors_end_here, fail, repository, shorter


@click.command("try", context_settings={"ignore_unknown_options": True})
@click.option("--name", metavar="NAME", help="Name of the target and the experiment; try-PROGRAM without it.")
@click.option(
    "--blocks", default=12, show_default=True, type=click.IntRange(min=1), help="How often both are timed."
)
@click.option(
    "--runtime", "runtime_s", default=3, show_default=True, type=click.IntRange(min=1), metavar="S",
    help="Seconds of load in each run.",
)  # fmt: skip
@click.option("--only-write", is_flag=True, help="Write the files and run nothing.")
@click.argument("argv", nargs=-1, required=True, metavar="-- ARGV...", type=click.UNPROCESSED)
def command(name: str | None, blocks: int, runtime_s: int, only_write: bool, argv: tuple[str, ...]) -> None:
    """Mount any FUSE command line, compare it with the bare directory, profile it, and write the report.

    ARGV must stay in the foreground (often -f) and say {mountpoint} where it mounts; {state} is an empty folder
    on the disk, new for each run, for its data:

        fuselab try -- bindfs -f {state} {mountpoint}

    The target.yaml and the experiment that it writes are yours to change.
    """
    from fuselab.experiment.loading import load_experiment
    from fuselab.trial import STATE, TrialError, from_here, make_trial

    root = repository()
    try:
        argv = from_here(argv)
        trial = make_trial(argv, name, blocks, runtime_s)
        if shutil.which(argv[0]) is None:
            raise TrialError(f"`{argv[0]}` is not installed, or not on PATH")
        written = trial.write(root)
    except TrialError as error:
        fail(str(error))
    for path in written:
        click.echo(f"wrote {shorter(path)}")
    if not any(STATE in word for word in argv):
        click.echo(
            "note: the load writes through the mount into whatever is behind it, and what it writes stays there; with "
            f"{STATE} as the place of the data every run gets an empty folder of its own"
        )
    with errors_end_here():
        load_experiment(root / trial.experiment, root)
    report = f"results/{trial.name}/report.html"
    if only_write:
        click.echo(f"next: snakemake --cores all {report}")
        return
    done = subprocess.run(
        [sys.executable, "-m", "snakemake", "--cores", "all", report], cwd=root, check=False
    )
    look = (
        f"To look at the mount by hand: fuselab hold {trial.name} --variant {_variant(trial.experiment_text)}"
    )
    if done.returncode != 0:
        fail(f"the experiment did not finish. {look}")
    click.echo(f"the report: {root / report}")
    reasons = _failures(root / "results" / trial.name / "comparisons.csv")
    if reasons:
        fail("\n".join([*reasons, look]))


def _failures(comparisons: Path) -> list[str]:
    """Why variants failed, each reason once: the report is made all the same."""
    with comparisons.open(newline="") as file:
        failed = [row for row in csv.DictReader(file) if row["verdict"] == "failed"]
    return list(dict.fromkeys(f"{row['variant']} {row['note']}" for row in failed))


def _variant(text: str) -> str:
    """Of the experiment just written, the variant that mounts."""
    import yaml

    return str(list(yaml.safe_load(text)["variants"])[-1])
