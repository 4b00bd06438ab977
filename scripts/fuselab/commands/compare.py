"""`fuselab compare`: two revisions of a filesystem against each other, without a line of YAML."""

from __future__ import annotations

import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from fuselab.commands import completing
from fuselab.commands.common import console, fail, repository, row, shorter
from fuselab.commands.ending import COULD_NOT, ending

if TYPE_CHECKING:
    from fuselab.experiment.loading import Loaded
    from fuselab.records.comparison import Comparison
    from fuselab.schema.errors import Problem

WORKTREE = "worktree"
_LOAD = "rw=write,bs=128k,size=64m,runtime=3s"


@click.command("compare")
@click.argument(
    "revisions", nargs=-1, required=True, metavar="REV [REV]", shell_complete=completing.revisions
)
@click.option(
    "--target",
    "-t",
    required=True,
    metavar="TARGET",
    shell_complete=completing.targets,
    help="A folder below targets/.",
)
@click.option(
    "--backend",
    metavar="NAME",
    shell_complete=completing.backends,
    help="One of the target's; its first without it.",
)
@click.option(
    "--workload", "workloads", multiple=True, metavar="KEY=VALUE,...",
    help=f"Options of a fio job. May be repeated.  [default: {_LOAD}]",
)  # fmt: skip
@click.option(
    "--primary", "primary", multiple=True, metavar="METRIC", help="What decides: write.bw, read.p99, ..."
)
@click.option("--blocks", metavar="N", default="auto", show_default=True, help="How often both are timed.")
@click.option("--name", metavar="NAME", help="Of the experiment; compare-TARGET-REV-REV without it.")
@click.option("--strict", is_flag=True, help="Exit with 2 where nothing could be decided.")
@click.option("--only-write", is_flag=True, help="Write the experiment and run nothing.")
def command(
    revisions: tuple[str, ...],
    target: str,
    backend: str | None,
    workloads: tuple[str, ...],
    primary: tuple[str, ...],
    blocks: str,
    name: str | None,
    strict: bool,
    only_write: bool,
) -> None:
    """Is my change slower? Measure REV against the checkout as it is, or the first REV against the second.

    \b
        fuselab compare HEAD --target myfs            what is not committed yet
        fuselab compare v1.4.0 main --target myfs     main, against the release

    Exit code: 0 nothing is slower; 1 something is, or a variant failed; 2 not decided (with --strict);
    3 it could not be measured. The experiment that it writes is yours to change.
    """
    from fuselab.commands.live import measure
    from fuselab.experiment.planning import make_plan
    from fuselab.records.places import Results

    root = repository()
    pair = _pair(revisions)
    name = name or _name("compare", target, *pair)
    texts = workloads or (_LOAD,)
    loads = [_options(text) for text in texts]
    text = experiment_text(name, target, backend, pair, loads, primary, blocks)
    options = {"target": [target], "backend": [backend or ""], "primary": primary, "blocks": [blocks]}
    typed = {f"variants.{_name(rev)}": rev for rev in pair}
    for (load, _), said in zip(_named(loads), texts, strict=True):
        typed[f"workloads.{load}"] = _words("workload", [said])
    for option, values in options.items():
        typed["compare.primary" if option == "primary" else option] = _words(option, values)
    loaded = _write(root, name, text, typed)
    click.echo(f"wrote {shorter(loaded.experiment.path)}")
    if _are_alike(loaded, target, pair):
        click.echo(
            f"note: {pair[0]} and {pair[1]} are the same source: this measures what chance does", err=True
        )
    if only_write:
        click.echo(f"next: fuselab run {name}")
        return
    if why := measure(root, {name: make_plan(loaded)}, for_verdicts=True):
        fail(why, COULD_NOT)
    home = Results(root).experiment(name)
    found = _comparisons(home.comparisons)
    rows = [each for each in found if each.family == "primary"]
    _print(rows)
    for line in _work(found):
        click.echo(line)
    click.echo(f"the report: {home.report}")
    sys.exit(exit_code(rows, strict))


def _write(root: Path, name: str, text: str, typed: Mapping[str, str]) -> Loaded:
    """The experiment, written and read back; what cannot be measured leaves the file as it was, or none.

    `typed`: the words of the command line by the key that they became.
    """
    from fuselab.commands.sealed import checked_name, write_sealed
    from fuselab.errors import ScaffoldError
    from fuselab.experiment.loading import load_experiment
    from fuselab.schema.errors import ExperimentErrors

    path = Path("experiments") / f"{name}.yaml"
    before = (root / path).read_text() if (root / path).exists() else None
    try:
        checked_name(name)
        (written,) = write_sealed(root, {path: text}, "fuselab compare")
        return load_experiment(written, root)
    except ScaffoldError as error:
        fail(str(error), COULD_NOT)
    except ExperimentErrors as errors:
        if before is None:
            (root / path).unlink()
        else:
            (root / path).write_text(before)
        said = [_as_typed(each, typed) if each.file == str(path) else each for each in errors.problems]
        fail(f"cannot be measured:\n{ExperimentErrors(said)}", COULD_NOT)


def _words(option: str, values: Sequence[str]) -> str:
    """`--option value`, as often as it was said."""
    return " ".join(f"--{option} {shlex.quote(value)}" for value in values)


def _as_typed(problem: Problem, typed: Mapping[str, str]) -> Problem:
    """A fault of the experiment that is gone again, at the words of the command line that it came from."""
    for key, words in typed.items():
        if not f"{problem.key}.".startswith(f"{key}."):
            continue
        option = problem.key.removeprefix(key).removeprefix(".fio").lstrip(".") if "=" in words else ""
        right = problem.suggestion or _value(problem.corrected_yaml or "")
        wrong = f"{option}={problem.value}" if f"{option}={problem.value}" in words else problem.value
        mended = words.replace(wrong, wrong.removesuffix(problem.value) + right, 1) if right else words
        corrected = mended if mended != words else None
        return replace(problem, typed=words, key=option, written="", corrected_yaml=corrected)
    return replace(problem, typed="this comparison", written="", corrected_yaml=None)


def _value(line: str) -> str:
    """Of `key: value`; empty where it is more than that."""
    found = re.fullmatch(r"\s*[\w.]+: ([\w.%]+)", line)
    return found[1] if found else ""


def experiment_text(
    name: str,
    target: str,
    backend: str | None,
    pair: tuple[str, str],
    loads: Sequence[Mapping[str, str]],
    primary: Sequence[str],
    blocks: str,
) -> str:
    """A whole experiment, as a person would write it."""
    from fuselab.schema.diagnostics import flow

    variants = {_name(rev): rev for rev in pair}
    lines = [
        "# yaml-language-server: $schema=../.fuselab/schema/experiment.schema.json",
        "# Written by `fuselab compare`. Change it, and run it again with",
        f"# `fuselab run {name}`.",
        f"name: {name}",
        f"title: {flow(f'Is {pair[1]} slower than {pair[0]}?')}",
        f"target: {flow(target)}",
        *([f"backend: {flow(backend)}"] if backend else []),
        "variants:",
        *(f"  {flow(variant)}: {{rev: {flow(rev)}}}" for variant, rev in variants.items()),
        "workloads:",
        *(f"  {load_name}: {{fio: {flow(dict(load))}}}" for load_name, load in _named(loads)),
        f"blocks: {flow(int(blocks) if blocks.isdecimal() else blocks)}",
        *([f"compare: {{primary: {flow(list(primary))}}}"] if primary else []),
    ]
    return "\n".join(lines) + "\n"


def exit_code(rows: Sequence[Comparison], strict: bool) -> int:
    """Of the primary rows of an experiment."""
    from fuselab.records.comparison import FAILED, INCONCLUSIVE, SLOWER

    # Not its `word`: slower by less than what matters is no failure.
    worse = any(row.word == FAILED or row.verdict == SLOWER for row in rows)
    undecided = not rows or any(row.word == INCONCLUSIVE for row in rows)
    return ending(worse=worse, undecided=undecided, strict=strict)


def _pair(revisions: tuple[str, ...]) -> tuple[str, str]:
    if len(revisions) > 2:
        fail("compare takes one revision, or two", COULD_NOT)
    first, second = (*revisions, WORKTREE)[:2]
    if _name(first) == _name(second):
        fail(f"both sides are `{first}`: say another revision, or none for the checkout as it is", COULD_NOT)
    return first, second


def _are_alike(loaded: Loaded, target: str, pair: tuple[str, str]) -> bool:
    """Whether git knows that the source of the target is the same on both sides."""
    from fuselab.building.source import git

    source = getattr(loaded.targets[target].build, "source", None)
    if source is None:
        return False
    revisions = [rev for rev in pair if rev != WORKTREE]
    new = git(source, "status", "--porcelain", "--", ".") if WORKTREE in pair else ""
    return git(source, "diff", "--name-only", *revisions, "--", ".") == new == ""


def _name(*words: str) -> str:
    """What may be a name in an experiment, of any revision: `origin/main` is origin-main."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", "-".join(words)).strip("-.")[:64]


def _options(text: str) -> dict[str, str]:
    pairs = [part.partition("=") for part in text.split(",")]
    for key, equals, value in pairs:
        if not (key.strip() and equals and value.strip()):
            fail(f"--workload {text}: `{key}` is no KEY=VALUE; for instance {_LOAD}", COULD_NOT)
    return {key.strip(): value.strip() for key, _, value in pairs}


def _named(loads: Sequence[Mapping[str, str]]) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Loads by a name of their own, of what they do: `randwrite-4k`, and a number where that is taken."""
    taken: set[str] = set()
    for load in loads:
        name = base = _name(*(load[key] for key in ("rw", "bs") if key in load)) or "load"
        number = 1
        while name in taken:
            number += 1
            name = f"{base}-{number}"
        taken.add(name)
        yield name, load


def _comparisons(path: Path) -> tuple[Comparison, ...]:
    from fuselab.records.comparison import Comparison
    from fuselab.records.table import read_rows

    return read_rows(path, Comparison)


def _work(rows: Sequence[Comparison]) -> Iterator[str]:
    """What was counted and differs by what matters, the largest change of each load first."""
    from fuselab.report import work

    for load in dict.fromkeys(each.workload for each in rows):
        named = work.mattering([each for each in rows if each.workload == load])
        if named:
            more = f", and {len(named) - work.MOST} more" if len(named) > work.MOST else ""
            said = "; ".join(work.clause(each).replace("`", "") for each in named[: work.MOST])
            yield f"counted under {load}, per operation: {said}{more}"


def _print(rows: Sequence[Comparison]) -> None:
    from rich.table import Table

    table = Table("workload", "metric", "change", "verdict", box=None, header_style="bold")
    for each in rows:
        table.add_row(*row(each.workload, each.metric, _change(each), each.verdict))
    console().print(table)


def _change(row: Comparison) -> str:
    """`-8.2 % (-9.0 to -7.1 %)`; empty where nothing could be said."""
    if not row.has_interval:
        return ""
    ratio, low, high = (f"{(value - 1) * 100:+.1f}" for value in row.interval)
    return f"{ratio} % ({low} to {high} %)"
