"""What Tab offers: names of experiments, targets, variants and the like, as the project of the working folder has them.

Each function is a `shell_complete` of click's: the words before it are in `ctx.params`, as far as they could be read.
It imports what it needs when it is asked, and offers nothing where a file is broken: `fuselab check` says that.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any

import click
from click.shell_completion import CompletionItem

from fuselab.commands.common import located, repository
from fuselab.errors import FuselabError
from fuselab.project import experiments as experiments_of
from fuselab.project import find, names
from fuselab.schema.errors import ExperimentErrors

Offer = Callable[[click.Context, click.Parameter, str], list[CompletionItem[str]]]
_MOST_REVISIONS = 200


def _offering(known: Callable[[click.Context], Iterable[str]]) -> Offer:
    """Those of the names that begin as what is typed; files for what is typed as a path."""

    @wraps(known)
    def offer(ctx: click.Context, param: click.Parameter, typed: str) -> list[CompletionItem[str]]:
        if typed.startswith((".", "/", "~")) or (typed and Path(typed).parent.is_dir() and "/" in typed):
            return [CompletionItem(typed, type="file")]
        try:
            return [CompletionItem(name) for name in known(ctx) if name.startswith(typed)]
        except (FuselabError, ExperimentErrors, OSError, ValueError, LookupError, TypeError, AttributeError):
            return []

    return offer


@_offering
def experiments(ctx: click.Context) -> Iterable[str]:
    return experiments_of(repository())


@_offering
def targets(ctx: click.Context) -> Iterable[str]:
    return [path.parent.name for path in names(repository(), "targets/*/target.yaml")]


@_offering
def variants(ctx: click.Context) -> Iterable[str]:
    from fuselab.experiment.variants import read_drafts
    from fuselab.schema.diagnostics import Diagnostics
    from fuselab.schema.yaml_source import read_yaml

    path = _experiment(ctx)
    source = read_yaml(path, path.name)
    return [draft.name for draft in read_drafts(Diagnostics(source), source.data)]


@_offering
def workloads(ctx: click.Context) -> Iterable[str]:
    return list(_read(_experiment(ctx))["workloads"])


@_offering
def profilers(ctx: click.Context) -> Iterable[str]:
    from fuselab.profilers import REGISTRY

    return REGISTRY


@_offering
def backends(ctx: click.Context) -> Iterable[str]:
    from fuselab.targets.model import pair_names

    said = _read(find(repository(), f"targets/{ctx.params['target']}/target.yaml"))
    return [*said.get("backends", ()), *pair_names(said)]


@_offering
def revisions(ctx: click.Context) -> Iterable[str]:
    """Branches and tags of what is built, the newest first; of the project's own repository where that is not said."""
    said = subprocess.run(
        ["git", "-C", str(_source(ctx)), "for-each-ref", f"--count={_MOST_REVISIONS}", "--sort=-creatordate",
         "--format=%(refname:short)", "refs/heads", "refs/tags", "refs/remotes"],
        capture_output=True, text=True, timeout=5, check=True,
    )  # fmt: skip
    return ["worktree", "HEAD", *said.stdout.split()]


def _source(ctx: click.Context) -> Path:
    root = repository()
    target = ctx.params.get("target")
    if target is None and (named := _named(ctx)):
        target = _read(located(named)[1]).get("target")
    if target is None:
        return root
    file = find(root, f"targets/{target}/target.yaml")
    ways: Mapping[str, Any] = _read(file)["build"]
    build = next(part for part in ways.values() if isinstance(part, dict))
    return file.parent / os.path.expanduser(build.get("source") or os.environ[build["source_env"]])


def _named(ctx: click.Context) -> str | None:
    """The experiment. Behind an option that lacks its value click leaves arguments among those not yet read."""
    known = ctx.params.get("experiment") or ctx.params.get("file")
    return known or next((word for word in ctx.args if not word.startswith("-")), None)


def _experiment(ctx: click.Context) -> Path:
    return located(_named(ctx) or "")[1]


def _read(file: Path) -> Any:
    from fuselab.schema.yaml_source import read_yaml

    return read_yaml(file, file.name).data
