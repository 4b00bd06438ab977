"""The doctor on every node of a slurm cluster, asked by one job on each, and what nodes have unlike each other."""

from __future__ import annotations

import itertools
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace

import msgspec

from fuselab import foreign
from fuselab.doctor.base import Line, bad, note, ok

_PATIENCE_S = 60
"""How long a node may be busy before it is asked no more."""
_LIMIT_MIN = 5
_ABLE = ("idle", "mixed", "allocated", "completing")
_ALIKE = ("machine", "libc")
"""Lines that should be the same on all nodes: one of them builds, and pairs of all are pooled."""


def nodes(where: Sequence[str]) -> dict[str, str]:
    """Node -> what slurm calls its state, of the partition if `where` has one. Raises OSError, CalledProcessError."""
    partition = [option for option in where if option.startswith("--partition=")]
    argv = ["sinfo", "--noheader", "--Node", "--format=%N %T", *partition]
    said = subprocess.check_output(argv, text=True, stderr=subprocess.PIPE, stdin=subprocess.DEVNULL)
    return dict(line.split(maxsplit=1) for line in said.splitlines() if line.strip())


def examine_nodes(doctor: Sequence[str], where: Sequence[str]) -> Iterator[Line]:
    """What is not well on each node, all of them asked at once.

    `doctor` is what prints its lines as JSON there, and `where` are options of srun.
    Raises OSError or CalledProcessError where slurm does not answer.
    """
    states = nodes(where)
    if not states:
        yield bad("slurm", "it has no node here", "name the partition in profiles/slurm/config.yaml")
    answers: dict[str, list[Line]] = {}
    with ExitStack() as stack:
        asked = {
            node: stack.enter_context(_asked(node, doctor, where))
            for node, state in states.items()
            if state.rstrip("*~#!%$@^-+") in _ABLE
        }
        for node, state in states.items():
            if node not in asked:
                yield bad(node, f"slurm calls it {state}", f"scontrol show node {node}")
                continue
            said, complaint = asked[node].communicate()
            try:
                answers[node] = msgspec.json.decode(said, type=list[Line])
            except msgspec.DecodeError:
                words = foreign.last_lines(complaint, 1) or ["it said nothing"]
                yield bad(
                    node,
                    f"the doctor's job there gave no answer: {words[-1]}",
                    f"srun --nodelist={node} true",
                )
    for node, lines in answers.items():
        yield from _of(node, lines)
    yield from unlike(answers)


def _asked(node: str, doctor: Sequence[str], where: Sequence[str]) -> subprocess.Popen[bytes]:
    limits = [f"--immediate={_PATIENCE_S}", f"--time={_LIMIT_MIN}", "--quiet"]
    argv = ["srun", *where, f"--nodelist={node}", "--nodes=1", "--ntasks=1", *limits, *doctor]
    return subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def _of(node: str, lines: Sequence[Line]) -> Iterator[Line]:
    wrong = [replace(line, what=f"{node}: {line.what}") for line in lines if line.level != "ok"]
    yield from wrong or [ok(node, "nothing is missing")]


def unlike(answers: Mapping[str, Sequence[Line]]) -> Iterator[Line]:
    """What differs from the first node: a program built on one may not run on another, and ratios differ by kind."""
    by_node = {node: {line.what: line.text for line in lines} for node, lines in answers.items()}
    for first in list(by_node)[:1]:
        for node, what in itertools.product(list(by_node)[1:], _ALIKE):
            if by_node[node].get(what) != by_node[first].get(what):
                text = f"{by_node[node].get(what)}, where {first} has {by_node[first].get(what)}"
                mend = "take nodes of one kind: `constraint` in profiles/slurm/config.yaml"
                yield note(f"{node}: {what}", text, mend)
