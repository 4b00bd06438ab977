"""Real bisects whose answer is known: is the commit of sixteen found that something was planted in?

Usage: python tests/bench/bisect_real.py [--bisects N] [--first N] [--only KIND] [--minutes M] [--keep FOLDER]

Each has a history of demofs of its own: sixteen commits that change a comment, and one among them that also makes
every write 10 % slower (found by the clock, 18 of 20) or makes one more system call in it (found by its counter, 20
of 20). Every write waits for 1 ms, as in method_real.py. What is searched is what `fuselab bisect` searches, without
its report. Sources that differ in that comment alone are compiled once, as behind a compiler's cache: the build of a
commit copies the program. Whatever else a bisect does (a checkout, a verifying run, mounts, blocks) it does for each
commit. The exit code is 1 if fewer are found; `--minutes` begins no bisect after so many.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import yaml

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))
from tests.bench.method_real import workspace  # noqa: E402

from fuselab.building import cargo  # noqa: E402
from fuselab.building.request import build_request  # noqa: E402
from fuselab.experiment.model import Variant  # noqa: E402
from fuselab.files import atomically  # noqa: E402
from fuselab.paths import cache_folder  # noqa: E402
from fuselab.targets.loading import load_target  # noqa: E402
from fuselab.targets.model import CargoBuild  # noqa: E402

COMMITS = 16
PLANTED = {
    "clock": ("src/inject/faults.rs", "= self.plan.slow {", "= self.plan.slow.or(Some(0.11)) {"),
    "counter": (
        "src/fs.rs",
        "self.files.write_at(",
        "std::thread::yield_now();\n        self.files.write_at(",
    ),
}
"""A file, what stands in it, and what the commit puts in its place."""
FIGURE = {"clock": ("write.bw", "None"), "counter": ("None", "work.sched_yield_per_op")}
NEEDED = {"clock": 0.9, "counter": 1.0}
EXPERIMENT = """\
name: {name}
target: {name}
backend: memory
variants: {{a: {{options: {{inject: extend-wait=1ms}}}}, b: {{}}}}
workloads:
  seq-write: {{fio: {{rw: write, bs: 128k, size: 32m, runtime: 500ms}}}}
compare: {{primary: [write.bw]}}
seed: {seed}
"""
PROGRAMS = cache_folder() / "bench-bisect"
PICK = f"""\
#!/bin/sh -e
# The program that was compiled of this source, comments on its revision left out.
key=$(find src Cargo.toml Cargo.lock -type f | LC_ALL=C sort | xargs grep -hv '^// revision' | sha256sum | cut -c 1-16)
cp "{PROGRAMS}/$key" demofs
"""
SEARCH = """
from fuselab.commands import bisect
metric, counter = {figure}
asked = bisect.question({name!r}, "v0", "main", metric, counter, "seq-write", "a")
raise SystemExit(bisect.search(asked, 0.95, float("inf"), report=False))
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--bisects", type=int, default=20, help="of each kind")
    parser.add_argument("--first", type=int, default=1, help="number of the first; each has its seed of it")
    parser.add_argument("--only", choices=list(PLANTED))
    parser.add_argument("--keep", type=Path, help="an empty or new folder; what was measured stays in it")
    parser.add_argument(
        "--minutes", type=float, default=math.inf, help="begin no bisect of a kind after so long"
    )
    options = parser.parse_args(arguments)
    missed = False
    with workspace(options.keep) as root:
        _own_targets(root)
        for kind in [options.only] if options.only else PLANTED:
            _compile(root, kind)
            found, made, began = 0, 0, time.monotonic()
            while made < options.bisects and time.monotonic() - began < 60 * options.minutes:
                found += _bisect(root, kind, options.first + made)
                made += 1
            print(f"{kind}: found in {found} of {made}, load average {os.getloadavg()[1]:.0f}", flush=True)
            missed |= found < NEEDED[kind] * made
    return int(missed)


def _own_targets(root: Path) -> None:
    """A folder in the place of the link, for targets of our own."""
    (root / "targets").unlink()
    (root / "targets").mkdir()
    for each in (CHECKOUT / "targets").iterdir():
        (root / "targets" / each.name).symlink_to(each)


def _compile(root: Path, kind: str) -> None:
    """The program before and the one with what is planted, where the builds of commits find them."""
    PROGRAMS.mkdir(parents=True, exist_ok=True)
    for name in ("plain", kind):
        folder = _source(root / "targets" / f"program-{name}", f"program-{name}")
        if name in PLANTED:
            _plant(folder, PLANTED[name])
        target = load_target(folder.name, root)
        assert isinstance(target.build, CargoBuild)
        request = build_request(target, Variant(name, folder.name, "memory"))
        assert request is not None
        pick = PICK.replace("cp ", "echo ")
        said = subprocess.run(["sh", "-ec", pick], cwd=folder, check=True, text=True, stdout=subprocess.PIPE)
        if not (program := Path(said.stdout.split()[0])).exists():
            with cargo.compiled(request, target.build) as made, atomically(program) as half:
                shutil.copy2(made.program, half)


def _source(folder: Path, name: str) -> Path:
    """demofs as a target of another name."""
    if not folder.exists():
        shutil.copytree(CHECKOUT / "targets/demofs", folder, ignore=shutil.ignore_patterns("target"))
        path = folder / "target.yaml"
        path.write_text(path.read_text().replace("name: demofs", f"name: {name}", 1))
    return folder


def _plant(folder: Path, planted: tuple[str, str, str]) -> None:
    path, old, new = folder / planted[0], *planted[1:]
    if new not in path.read_text():
        assert path.read_text().count(old) == 1, f"{old} is no longer once in {path}"
        path.write_text(path.read_text().replace(old, new))


def _bisect(root: Path, kind: str, number: int) -> bool:
    name, rng = f"{kind}-{number:02d}", random.Random(f"{kind} {number}")
    first = rng.randrange(1, COMMITS)
    revisions = _history(root / "targets" / name, name, PLANTED[kind], first)
    (root / "experiments" / f"{name}.yaml").write_text(EXPERIMENT.format(name=name, seed=number))
    began = time.monotonic()
    figure = "({}, {})".format(*(each if each == "None" else repr(each) for each in FIGURE[kind]))
    done = subprocess.run(
        [sys.executable, "-c", SEARCH.format(name=name, figure=figure)], cwd=root, text=True, check=False,
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    (root / f"{name}.log").write_text(done.stdout)
    named = [line for line in done.stdout.splitlines() if line.startswith("the first commit with the change")]
    right = bool(named) and f": {revisions[first][:10]} " in named[0]
    last = named or done.stdout.splitlines()[-1:]
    minutes = (time.monotonic() - began) / 60
    print(
        f"{name}: {'right' if right else 'NOT FOUND'}, planted in number {first}; {''.join(last)}; "
        f"{done.stdout.count(' of 15): ')} looks, {minutes:.1f} min",
        flush=True,
    )
    return right


def _history(folder: Path, name: str, planted: tuple[str, str, str], first: int) -> list[str]:
    """Sixteen commits of demofs as a target of its own, built by copying; their hashes, the oldest first."""
    _source(folder, name)
    (folder / "pick.sh").write_text(PICK)
    target = yaml.safe_load((folder / "target.yaml").read_text())
    del target["profilers"]  # whose features a command does not build
    target["build"] = {"command": {"source": ".", "argv": ["sh", "pick.sh"], "binary": "demofs"}}
    (folder / "target.yaml").write_text(yaml.safe_dump(target, sort_keys=False))
    _git(folder, "init", "--quiet", "--initial-branch=main")
    lib = folder / "src/lib.rs"
    for number in range(COMMITS):
        lib.write_text(f"{lib.read_text()}// revision {number}\n")
        if number == first:
            _plant(folder, planted)
        _git(folder, "add", ".")
        _git(folder, "commit", "--quiet", "--message", f"number {number}")
        _git(folder, "tag", f"v{number}")
    return _git(folder, "rev-list", "--reverse", "main").split()


def _git(folder: Path, *argv: str) -> str:
    identity = ("-c", "user.name=bench", "-c", "user.email=bench@example.org")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *argv], check=True, text=True, stdout=subprocess.PIPE
    ).stdout


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
