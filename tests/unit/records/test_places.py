"""The rules and the code name the same paths."""

import ast
import inspect
import re
from pathlib import Path

import pytest

from fuselab.records.places import Home, In, Results, is_summed

ROOT = Path(__file__).parents[3]
RULES = [path for path in sorted(ROOT.glob("rules/*.smk")) if "\nrule " in path.read_text()]
"""Those that make something: one says only which code is run."""


def patterns() -> set[str]:
    """Every path of `places`, asked for with wildcards as names."""
    home = Results().experiment("{experiment}")
    found = {
        str(Results().report),
        str(Results().build("{target}/{build}")),
        str(home.night("{night}").folder),
    }
    for name, member in vars(Home).items():
        if isinstance(member, In):
            found.add(str(getattr(home, name)))
        elif inspect.isfunction(member) and not name.startswith("_") and name not in ("night", "attempts_of"):
            names = list(inspect.signature(member).parameters)[1:]
            found.add(str(getattr(home, name)(*(f"{{{each}}}" for each in names))))
    return found


@pytest.mark.parametrize("rules", RULES, ids=lambda path: path.stem)
def test_what_a_rule_makes_lies_where_the_code_looks_for_it(rules: Path) -> None:
    outputs = re.findall(r"(?ms)^    output:\n(.*?)^    \w+:", rules.read_text())
    made = [path for output in outputs for path in re.findall(r'"(results/[^"]+)"', output)]

    assert made
    assert set(made) <= patterns()


def test_no_other_module_spells_a_path_under_results() -> None:
    # What lies below the records does not know them.
    own = {"records/places.py", "system/state_root.py", "fuselab/project.py"}
    modules = (path for path in ROOT.glob("scripts/**/*.py") if "/".join(path.parts[-2:]) not in own)
    spelled = [
        f"{path.relative_to(ROOT)}: {node.value!r}"
        for path in modules
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Constant) and re.match(r"results(/\S*)?$", str(node.value))
    ]

    assert spelled == []


def test_inputs_that_are_measured_are_known_by_their_place() -> None:
    home = Results().experiment("night")

    assert is_summed(home.block("read", "0123456789ab", "001"))
    assert is_summed(Results().build("fs/release-0123"))
    assert not is_summed(home.blocks("read", "0123456789ab"))
    assert not is_summed(home.processed("a", "read", "perf-oncpu"))
