"""Holds each variant against its target: backend, options, build, revision."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from fuselab import profilers
from fuselab.building.source import WORKTREE, git
from fuselab.experiment.links import read_links
from fuselab.experiment.model import Variant
from fuselab.experiment.variants import Draft
from fuselab.schema.diagnostics import Diagnostics, hint, near
from fuselab.schema.errors import ExperimentErrors
from fuselab.schema.reading import target_names
from fuselab.schema.yaml_source import Key
from fuselab.targets.loading import load_target
from fuselab.targets.model import CargoBuild, CommandBuild, Target, pair_name

_CARGO_ONLY = {"features": "cargo features", "rustflags": "compiler flags", "profile": "cargo profiles"}


class Targets:
    """The targets of one experiment, each read once."""

    def __init__(self, diagnostics: Diagnostics, repository: Path) -> None:
        self.diagnostics = diagnostics
        self.repository = repository
        self._read: dict[str, Target | None] = {}

    @property
    def by_name(self) -> dict[str, Target]:
        return {name: target for name, target in self._read.items() if target is not None}

    def get(self, draft: Draft) -> Target | None:
        """The target of `draft`; None, with a diagnostic, if there is none."""
        name = draft.values.get("target")
        if name is None:
            message = f"no target: neither the variant '{draft.name}' nor the experiment names one"
            names = target_names(self.repository)
            example = f"target: {names[0]}" if names else None
            self.diagnostics.add(("target",), message, of_key=True, allowed=names, corrected=example)
            return None
        if name not in self._read:
            self._read[name] = self._load(draft, name)
        return self._read[name]

    def _load(self, draft: Draft, name: str) -> Target | None:
        names = target_names(self.repository)
        if name not in names:
            self.diagnostics.unknown(draft.place("target"), "target", names, name=name)
            return None
        try:
            target = load_target(name, self.repository, profilers.REGISTRY)
        except ExperimentErrors as errors:
            self.diagnostics.adopt(errors.problems)
            return None
        if isinstance(target.build, CargoBuild | CommandBuild):
            self._check_source(draft, target, target.build)
        return target

    def _check_source(self, draft: Draft, target: Target, build: CargoBuild | CommandBuild) -> None:
        at = draft.place("target")
        if build.source is None:
            message = (
                f"the source of '{target.name}' is not known: the environment variable {build.source_env} "
                f"is not set. Name the folder of a checkout: export {build.source_env}=/path/to/{target.name}"
            )
            self.diagnostics.add(at, message)
        elif not build.source.is_dir():
            named = f" ({build.source_env})" if build.source_env else ""
            self.diagnostics.add(
                at, f"the source of '{target.name}' is not there: no folder {build.source}{named}"
            )


def read_variant(diagnostics: Diagnostics, draft: Draft, target: Target) -> Variant:
    """`draft` with its target's defaults; what does not fit is a diagnostic."""
    values = draft.values
    backend = _backend(diagnostics, draft, target)
    _check_options(diagnostics, draft, target)
    if not isinstance(target.build, CargoBuild):
        for key, words in _CARGO_ONLY.items():
            if values.get(key):
                message = f"'{target.name}' is not built by cargo: it has no {words}"
                diagnostics.add(draft.place(key), message, of_key=True)
    return Variant(
        name=draft.name,
        target=target.name,
        backend=backend,
        rev=_revision(diagnostics, draft, target),
        follows=_branch(draft, target),
        network=read_links(diagnostics, draft, target.backends[backend]),
        **{key: _frozen(value) for key, value in values.items() if key in _TAKEN},
    )


_TAKEN = ("features", "rustflags", "profile", "options", "env", "fio", "control")


def _frozen(value: Any) -> Any:
    if isinstance(value, dict):
        return tuple(value.items())
    return tuple(value) if isinstance(value, list) else value


def _backend(diagnostics: Diagnostics, draft: Draft, target: Target) -> str:
    default = next(iter(target.backends))
    asked = draft.values.get("backend", default)
    if isinstance(asked, Mapping):
        return _pair(diagnostics, draft, target, asked) or default
    name = str(asked)
    if name in target.backends:
        return name
    at = draft.place("backend")
    diagnostics.unknown(at, "backend", target.backends, why=f" of '{target.name}'", name=name)
    return default


def _pair(diagnostics: Diagnostics, draft: Draft, target: Target, asked: Mapping[str, str]) -> str | None:
    """The name of the backend that has the stores `asked`; None, with a diagnostic, where there is none."""
    if not target.stores:
        message = f"'{target.name}' takes no `meta` and `data` apart: name one of its backends"
        diagnostics.add(draft.place("backend"), message, of_key=True, allowed=target.backends)
        return None
    taken, known = list[str](), True
    for store, names in target.stores.items():
        taken.append(str(asked.get(store, names[0])))
        if taken[-1] not in names:
            at = draft.place("backend", store)
            diagnostics.unknown(at, f"`{store}`", names, why=f" of '{target.name}'", name=taken[-1])
            known = False
    return pair_name(*taken) if known else None


def _check_options(diagnostics: Diagnostics, draft: Draft, target: Target) -> None:
    options: Mapping[str, str] = draft.values.get("options", {})
    for name, value in options.items():
        at = draft.place("options", name)
        if name in target.options:
            check_option(diagnostics, at, target, name, value)
        else:
            diagnostics.unknown(at, "mount option", target.options, of_key=True, why=whose_options(target))


def whose_options(target: Target) -> str:
    """The end of a message about an option that `target` does not have."""
    none = "" if target.options else ", which describes none: `options:` in its target.yaml does"
    return f" of '{target.name}'{none}"


def check_option(diagnostics: Diagnostics, at: Key, target: Target, name: str, value: str) -> None:
    """A value, at `at`, that is none of the option `name` of `target`."""
    option = target.options[name]
    if option.pattern and not re.fullmatch(option.pattern, value):
        meaning = f" ({option.description})" if option.description else ""
        message = f"'{value}' is not a value of the mount option '{name}'{meaning}: "
        message += (
            f"the whole value must match {option.pattern}, its pattern in targets/{target.name}/target.yaml"
        )
        diagnostics.add(at, message)


def _revision(diagnostics: Diagnostics, draft: Draft, target: Target) -> str:
    """`worktree`, or the commit that is meant."""
    rev = str(draft.values.get("rev", WORKTREE))
    if rev == WORKTREE:
        return rev
    at = draft.place("rev")
    if not isinstance(target.build, CargoBuild | CommandBuild):
        diagnostics.add(at, f"'{target.name}' has no source: 'rev' says nothing about it", of_key=True)
        return rev
    source = _source(target)
    if source is None:
        return rev
    if commit := _parsed(source, "--end-of-options", f"{rev}^{{commit}}"):
        return commit
    known = _revisions(source)
    if known is None:
        diagnostics.add(at, f"the source of '{target.name}' is not in git: {source}")
        return rev
    close = near(rev, known)
    message = f"no revision '{rev}' in the source of '{target.name}'{hint(close)}{shallow(source)}"
    diagnostics.add(at, message, allowed=[WORKTREE, *known[:20], "any commit"], suggestion=close)
    return rev


def _branch(draft: Draft, target: Target) -> str:
    """The full name of the branch that is meant; "" for a tag, a commit or the worktree."""
    rev, source = draft.values.get("rev"), _source(target)
    if rev is None or source is None:
        return ""
    full = _parsed(source, "--symbolic-full-name", "--end-of-options", str(rev))
    return full if full.startswith(("refs/heads/", "refs/remotes/")) else ""


def revision_of(target: Target, rev: str) -> str | None:
    """The commit that `rev` names in the source of `target`; None where there is none."""
    source = _source(target)
    return (source and _parsed(source, "--end-of-options", f"{rev}^{{commit}}")) or None


def revisions_of(target: Target) -> list[str]:
    """Branches and tags of the source of `target`, the newest first."""
    source = _source(target)
    return (_revisions(source) if source else None) or []


def shallow(source: Path) -> str:
    """What to add where a commit is missing: that the checkout was cloned without its history, and the mend."""
    if (git(source, "rev-parse", "--is-shallow-repository") or "").strip() != "true":
        return ""
    return f"; this is a shallow clone, which lacks earlier commits and tags: git -C {source} fetch --unshallow --tags"


def shallow_of(target: Target) -> str:
    """The same, of the source of `target`."""
    source = _source(target)
    return shallow(source) if source else ""


def contains(target: Target, commit: str, earlier: str) -> bool:
    """Whether `earlier` is an ancestor of `commit` in the source of `target`, or is it."""
    source = _source(target)
    return source is not None and git(source, "merge-base", "--is-ancestor", earlier, commit) is not None


def _source(target: Target) -> Path | None:
    source = target.build.source if isinstance(target.build, CargoBuild | CommandBuild) else None
    return source if source is not None and source.is_dir() else None


@cache
def _parsed(source: Path, *argv: str) -> str:
    """What git takes a revision for; "" if for nothing."""
    return (git(source, "rev-parse", "--verify", "--quiet", *argv) or "").strip()


@cache
def _revisions(source: Path) -> list[str] | None:
    """Branches and tags, newest first; None outside git."""
    listed = git(
        source, "for-each-ref", "--sort=-creatordate", "--format=%(refname:short)", "refs/heads", "refs/tags"
    )
    return None if listed is None else listed.split()
