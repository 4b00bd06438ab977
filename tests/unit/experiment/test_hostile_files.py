"""Files that are made to keep a reader busy: words with a place, and no more work than a person's file needs."""

from pathlib import Path

import pytest

from fuselab.commands.check import look_at
from fuselab.schema import yaml_source

TEN = ",".join
LAUGHS = [
    "a0: &a0 [x,x,x,x,x,x,x,x,x,x]",
    *(f"a{n}: &a{n} [{TEN([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)),
]
MERGES = ["a0: &a0 {x: 1}", *(f"a{n}: &a{n} {{<<: [{TEN([f'*a{n - 1}'] * 10)}]}}" for n in range(1, 10))]
AXES = "\n".join(f"    A{n}: {{{TEN(f'l{m}: {{}}' for m in range(10))}}}" for n in range(9))
HOSTILE = {
    "aliases of aliases": ("\n".join(LAUGHS), "more than 10,000 values", 2),
    "merges of merges": ("\n".join(MERGES), "more than 10,000 values", 2),
    "lists in lists": ("a: " + "[" * 20_000 + "]" * 20_000, "more than 32 levels", 2),
    "mappings in mappings": ("a: " + "{a: " * 20_000 + "1" + "}" * 20_000, "more than 32 levels", 2),
    "a list of lists by dashes": (
        "a:\n" + "".join(f"{' ' * n}-\n" for n in range(40)),
        "more than 32 levels",
        None,
    ),
    "a long integer": ("seed: " + "9" * 6_000, "a number of 6,000 digits", 2),
    "a long hexadecimal": ("seed: 0x" + "f" * 6_000, "a number of 6,002 digits", 2),
    "a tag that lies": ("seed: !!int many", "not what its tag says", 2),
    "many values": ("a: [" + "1," * 20_000 + "1]", "more than 10,000 values", 2),
    "a large file": ("a: " + "x" * (2 << 20), "larger than 1 MiB", 1),
    "many combinations": (
        f"title: x\ntarget: directory\nmatrix:\n  along: A0\n  axes:\n{AXES}\nworkloads: {{w: {{fio: {{rw: write}}}}}}",
        "1,000,000,000 combinations",
        7,
    ),
    "a job file without an end": (
        "title: x\ntarget: directory\nvariants: {a: {}}\nworkloads: {w: {fio: {file: /dev/zero}}}",
        "is no file",
        5,
    ),
    "many loads": (
        "title: x\ntarget: directory\nvariants: {a: {}}\nworkloads:\n"
        + "".join(f"  l{n}: {{fio: {{rw: write, bs: {n + 1}k}}}}\n" for n in range(400)),
        "a mapping of 400 keys",
        6,
    ),
    "a load that is nothing": (
        "title: x\ntarget: directory\nvariants: {a: {}}\nworkloads:\n  w:\n",
        "nothing is not a load",
        6,
    ),
    "many variants": (
        "title: x\ntarget: directory\nvariants:\n" + "".join(f"  v{n}: {{bad: 1}}\n" for n in range(1_600)),
        "unknown key 'bad'",
        None,
    ),
}


@pytest.mark.timeout(20)
@pytest.mark.parametrize("case", HOSTILE)
def test_it_is_refused_where_it_stands(repository: Path, case: str):
    text, why, line = HOSTILE[case]
    path = repository / "experiments" / "hostile.yaml"
    path.write_text(f"name: hostile\n{text}\n")
    problems, _ = look_at(path)
    found = [problem for problem in problems if why in problem.message]
    assert found, "\n".join(map(str, problems))[:2_000]
    assert line is None or found[0].line == line
    assert len(str(found[0])) < 2_000


def test_bounds_are_far_from_what_people_write(checkout: Path):
    """The longest file of ours uses a twentieth of them, and is as it was."""
    for path in sorted(checkout.glob("experiments/*.yaml")) + sorted(checkout.glob("targets/*/target.yaml")):
        source = yaml_source.read_yaml(path, path.name)
        assert source.steps < 500


def test_a_fault_is_words_and_no_order_to_the_terminal(repository: Path):
    path = repository / "experiments" / "hostile.yaml"
    long = "p" * 100_000
    path.write_text(
        f'name: hostile\ntarget: "\\e]0;owned\\a\\e[2Jdemo"\nprofilers: [{long}]\nvariants: {{a: {{}}}}\n'
    )
    problems, _ = look_at(path)
    said = "\n\n".join(map(str, problems))
    assert "demo" in said
    assert "\x1b" not in said
    spelt_out = 'target: "\\e]0;owned\\a\\e[2Jdemo"'  # the line as it is written
    assert spelt_out in said
    assert "owned" not in said.replace(spelt_out, "")
    assert len(said) < 10_000
