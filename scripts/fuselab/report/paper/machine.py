"""`environment.json` of a bundle: where it was measured, with which programs, and from which state of fuselab."""

from __future__ import annotations

import json
import platform
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from fuselab.report.reading import Results
from fuselab.workloads import REGISTRY

_FIXED = ("kernel", "cpu_model", "cpus", "memory_bytes", "governor", "state_device", "state_fstype")
"""Figures of a run's environment that belong to the machine and not to the moment."""


def environment(results: Results, checkout: Path) -> dict[str, object]:
    """Plain data. `packed` is of the machine that makes the bundle, which need not be the one that measured."""
    changes = _git(checkout, "status", "--porcelain", "--untracked-files=no")
    return {
        "measured": _machines(results),
        "programs": programs(results),
        "packed": {
            "fuselab": fuselab_version(),
            "revision": _git(checkout, "rev-parse", "HEAD"),
            "uncommitted_changes": None if changes is None else bool(changes),
            "python": platform.python_version(),
            "debian_packages": dict(_debian(checkout)),
        },
    }


def programs(results: Results) -> dict[str, str]:
    """Name -> version of what loaded, recorded and drew, and of the compilers."""
    loads = ((kind, run.folder) for run in results.runs for kind in REGISTRY.values())
    found = dict(next((said for kind, folder in loads if (said := kind.versions(folder))), {}))
    for processed in results.profiles.values():
        found |= processed.profile.versions
    toolchains = dict.fromkeys(build.toolchain for build in results.builds if build.toolchain)
    return found | ({"toolchain": ", ".join(toolchains)} if toolchains else {})


def fuselab_version() -> str:
    try:
        return version("fuselab")
    except PackageNotFoundError:  # run from a copy of the sources
        return "unknown"


def _machines(results: Results) -> list[dict[str, object]]:
    """Each machine once, however many runs it made."""
    found = {}
    for run in results.runs:
        if (moment := run.record.environment) is not None:
            machine = {"hostname": run.record.hostname, **{name: getattr(moment, name) for name in _FIXED}}
            found[json.dumps(machine)] = machine
    return list(found.values())


def _git(checkout: Path, *words: str) -> str | None:
    done = subprocess.run(["git", "-C", str(checkout), *words], capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _debian(checkout: Path) -> Iterator[tuple[str, str]]:
    """(package, version) of what `envs/debian/` lists and is installed: Debian's versions cannot be locked, so they
    are written down."""
    lines = (line for path in sorted((checkout / "envs" / "debian").glob("*.txt")) for line in path.open())
    names = [name for line in lines if (name := line.partition("#")[0].strip())]
    if not names:
        return
    form = "${db:Status-Status} ${Package} ${Version}\n"
    try:
        done = subprocess.run(
            ["dpkg-query", "-W", "-f", form, *names], capture_output=True, text=True, check=False
        )
    except FileNotFoundError:  # no Debian
        return
    for line in done.stdout.splitlines():
        status, package, version = line.split()
        if status == "installed":
            yield package, version
