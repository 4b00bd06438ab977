"""The line of commits from a good one to a bad one, as a bisect goes along it."""

from __future__ import annotations

from pathlib import Path

from fuselab.building.source import WORKTREE, git
from fuselab.errors import BisectError
from fuselab.experiment.resolve import revision_of, revisions_of, shallow
from fuselab.schema.diagnostics import hint, near
from fuselab.targets.model import CargoBuild, CommandBuild, Target


def line(target: Target, good: str, bad: str) -> tuple[str, ...]:
    """Full hashes, `good` first and `bad` last: along first parents, as far as those have `good` in them.

    What a merge brought is one step of the line: its commits were never what the line's own revision was. Raises
    BisectError for revisions that span no such line, and for changes that no commit has.
    """
    source = target.build.source if isinstance(target.build, CargoBuild | CommandBuild) else None
    if source is None or git(source, "rev-parse", "--git-dir") is None:
        raise BisectError(
            f"the target '{target.name}' has no source in git, and so no commits: say where it is built from, as "
            f"`build: {{cargo: {{source: ...}}}}` in targets/{target.name}/target.yaml"
        )
    first, last = (_commit(target, rev, option) for rev, option in ((good, "--good"), (bad, "--bad")))
    if first == last:
        raise BisectError(f"--good {good} and --bad {bad} are one commit, {first[:10]}: name two")
    behind = f"{first}..{last}"
    ancestry = set((git(source, "rev-list", "--ancestry-path", behind) or "").split())
    if not ancestry:
        swapped = git(source, "merge-base", "--is-ancestor", last, first) is not None
        mend = "they are the other way round" if swapped else _common(source, first, last)
        raise BisectError(f"--good {good} is no ancestor of --bad {bad}: {mend}")
    if last == revision_of(target, "HEAD"):
        _refuse_uncommitted(source, bad)
    own = (git(source, "rev-list", "--first-parent", "--reverse", behind) or "").split()
    return (first, *(commit for commit in own if commit in ancestry))


def subject(target: Target, commit: str) -> str:
    """The first line of its message."""
    source = target.build.source if isinstance(target.build, CargoBuild | CommandBuild) else None
    return ((source and git(source, "show", "--no-patch", "--format=%s", commit)) or "").strip()


def _commit(target: Target, rev: str, option: str) -> str:
    if rev == WORKTREE:
        raise BisectError(f"{option} {rev} is no commit: commit what is in the checkout first")
    if found := revision_of(target, rev):
        return found
    known = revisions_of(target)
    source = target.build.source if isinstance(target.build, CargoBuild | CommandBuild) else None
    why = f"{hint(near(rev, known))}{shallow(source) if source else ''}"
    raise BisectError(f"{option}: no revision '{rev}' in the source of '{target.name}'{why}")


def _common(source: Path, first: str, last: str) -> str:
    base = (git(source, "merge-base", first, last) or "").strip()
    if not base:
        return f"they have no commit in common{shallow(source)}"
    return f"they part at {base[:10]}, which may be --good"


def _refuse_uncommitted(source: Path, bad: str) -> None:
    changed = git(source, "status", "--porcelain", "--untracked-files=no", "--", ".") or ""
    if changed.strip():
        raise BisectError(
            f"{source} has changes that no commit has, and --bad {bad} is without them: commit them, or `git stash`"
        )
