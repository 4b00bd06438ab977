"""Real pull requests whose truth is known: who gets a comment of `fuselab gate`?

Usage: python tests/bench/gate_real.py [--tries N] [--first N] [--only KIND] [--blocks N] [--keep FOLDER]

A pull request is an experiment of its own (YAML, Snakemake, mounts, fio, blocks, counted runs, verdict, guards):
demofs as `main` against demofs as `branch`, which is the same program, or slower by 10 %. Every write waits for 1 ms
in both, as in method_real.py. Guarded are the bandwidth by 5 % and system calls for each operation by 0, as
docs/pull-requests.md has it. One that changes nothing is to get no comment in 40 of 40, one that is slower gets one
in 38 of 40; the exit code is 1 if it is otherwise.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(CHECKOUT))
from tests.bench.method_real import DESIGNS, workspace  # noqa: E402

from fuselab.files import read_json  # noqa: E402
from fuselab.records.places import Results  # noqa: E402
from fuselab.records.summary import Summary  # noqa: E402

BRANCH = {"same": "", "slower": f",slow={DESIGNS['blocks'].slow}%"}
"""What the branch does besides waiting, by kind."""
COMMENTS = {"same": lambda share: share == 0, "slower": lambda share: share >= 0.95}
"""Whether the share of tries with a comment is as promised."""
EXPERIMENT = """\
name: {name}
target: demofs
backend: memory
variants:
  main: {{options: {{inject: extend-wait=1ms}}}}
  branch: {{env: {{BRANCH: mine}}, options: {{inject: "extend-wait=1ms{more}"}}}}  # a variable that nothing reads
workloads:
  seq-write: {{fio: {{rw: write, bs: 128k, size: 32m, runtime: 500ms}}}}
blocks: {blocks}
seed: {seed}
compare: {{primary: [write.bw]}}
guard: {{write.bw: 5%, work.syscalls_per_op: 0}}
"""


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--tries", type=int, default=40, help="of each kind")
    parser.add_argument("--first", type=int, default=1, help="number of the first; each has its seed of it")
    parser.add_argument("--only", choices=list(BRANCH))
    parser.add_argument("--blocks", default="12", help="a number, or auto")
    parser.add_argument("--keep", type=Path, help="an empty or new folder; what was measured stays in it")
    options = parser.parse_args(arguments)
    kinds = [options.only] if options.only else list(BRANCH)
    comments = dict.fromkeys(kinds, 0)
    with workspace(options.keep) as root:
        for number in range(options.first, options.first + options.tries):
            for kind in kinds:
                comments[kind] += _try(root, kind, number, options.blocks)
    for kind, count in comments.items():
        print(f"{kind}: a comment in {count} of {options.tries}, load average {os.getloadavg()[1]:.0f}")
    return int(not all(COMMENTS[kind](count / options.tries) for kind, count in comments.items()))


def _try(root: Path, kind: str, number: int, blocks: str) -> bool:
    """Whether the pull request gets a comment."""
    name = f"{kind}-{number:02d}"
    text = EXPERIMENT.format(name=name, more=BRANCH[kind], blocks=blocks, seed=number)
    (root / "experiments" / f"{name}.yaml").write_text(text)
    began = time.monotonic()
    argv = [".venv/bin/fuselab", "gate", name]
    done = subprocess.run(
        argv, cwd=root, text=True, check=False, stdin=subprocess.DEVNULL, capture_output=True
    )
    (root / f"{name}.log").write_text(done.stderr + done.stdout)
    if done.returncode not in (0, 1):
        sys.exit(f"{name} could not be measured:\n{done.stderr[-4000:]}")
    summary = read_json(Results(root).experiment(name).summary, Summary)
    told = ", ".join(f"{guard.metric} {guard.outcome}" for guard in summary.guards)
    (row,) = (row for row in summary.comparisons if not row.control)
    said = "a comment" if done.stdout else "no comment"
    minutes = (time.monotonic() - began) / 60
    print(
        f"{name}: {said}; {told}; {row.ratio:.3f} ({row.ratio_low:.3f} to {row.ratio_high:.3f}), {row.verdict}; "
        f"{minutes:.1f} min, load average {os.getloadavg()[0]:.1f}",
        flush=True,
    )
    return bool(done.stdout)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
