"""The same function has the same name whichever way rustc mangled it, and different functions keep theirs."""

import os
import subprocess
from pathlib import Path

import pytest

from fuselab.analysis.symbols.demangle import demangle
from fuselab.analysis.symbols.spelling import common_spelling


@pytest.fixture(scope="module")
def sides(golden: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, set[str]]:
    """Mangling -> mangled names of all functions of one program, as nm tells them."""
    folder = tmp_path_factory.mktemp("many")
    found = {}
    for mangling in ("legacy", "v0"):
        argv = [
            "rustc",
            "--edition",
            "2024",
            "-O",
            "-Z",
            "unstable-options",
            f"-Csymbol-mangling-version={mangling}",
        ]
        argv += [str(golden / "make/many.rs"), "-o", str(folder / mangling)]
        # The choice of the old mangling is no stable option of rustc any more.
        subprocess.run(argv, check=True, capture_output=True, env={**os.environ, "RUSTC_BOOTSTRAP": "1"})
        symbols = subprocess.run(
            ["nm", "--defined-only", folder / mangling], check=True, capture_output=True, text=True
        )
        rows = (line.split() for line in symbols.stdout.splitlines())
        found[mangling] = {row[2] for row in rows if len(row) == 3 and row[1] in "tTwW"}
    return found


@pytest.fixture(scope="module")
def named(sides: dict[str, set[str]]) -> dict[str, set[str]]:
    return {mangling: set(demangle(names).values()) for mangling, names in sides.items()}


def test_one_program_has_the_same_functions_by_both_manglings(named: dict[str, set[str]]) -> None:
    names = common_spelling(named["legacy"], named["v0"])
    legacy, v0 = ({names.get(name, name) for name in side} for side in named.values())
    # The program has generic functions and types, impls in other modules, blanket impls, defaults of a trait, drop
    # glue, shims, constants, names beyond ASCII.
    assert legacy == v0
    for function in (
        "many::serve",
        "many::Store::twice",
        "many::Flat::from_below",
        "many::größe::Straße::länge",
    ):
        assert function in v0
    assert len(v0) > 0.8 * len(named["v0"]), "most of what is told apart stays so"


def test_the_order_of_the_sides_does_not_matter(named: dict[str, set[str]]) -> None:
    assert common_spelling(named["legacy"], named["v0"]) == common_spelling(named["v0"], named["legacy"])


def test_what_one_mangling_tells_apart_stays_apart(named: dict[str, set[str]]) -> None:
    for side in named.values():
        assert common_spelling(side, side) == {}
    one = {"a::serve::<a::Disk>", "a::serve::<a::Memory>", "<a::Disk as a::Store>::put"}
    other = {"a::serve::<a::Disk>", "<a::Memory as a::Store>::put"}
    assert common_spelling(one, other) == {}


def test_drop_glue_of_different_types_is_told_apart_in_both(named: dict[str, set[str]]) -> None:
    glue = [{name for name in side if "drop_in_place" in name} for side in named.values()]
    assert len(glue[0] & glue[1]) > 20
    assert not any("drop_in_place<" in name for side in glue for name in side)


@pytest.mark.parametrize(
    ("legacy", "v0", "common"),
    [
        ("a::f", "a::f::<u8>", "a::f"),
        ("a::T<X>::f", "a::T<u8>::f::<b::Y>", "a::T::f"),
        ("<&T as c::Debug>::fmt", "<&b::Y as c::Debug>::fmt", "<&T as c::Debug>::fmt"),
        ("<[T, N] as c::Debug>::fmt", "<[u8, 4] as c::Debug>::fmt", "<[T, N] as c::Debug>::fmt"),
        ("c::Iterator::count", "<b::Y as c::Iterator>::count", "c::Iterator::count"),
        ("a::f::{{closure}}", "a::f::<b::Y>::{{closure}}", "a::f::{{closure}}"),
        ("a::Array<_>::sum", "a::Array<3>::sum", "a::Array::sum"),
    ],
)
def test_what_legacy_names_do_not_say_is_left_out_of_both(legacy: str, v0: str, common: str) -> None:
    names = common_spelling({legacy}, {v0})
    assert names.get(legacy, legacy) == names.get(v0, v0) == common


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("<&T as c::Debug>::fmt", "<&mut b::Y as c::Debug>::fmt"),
        ("<&T as c::Debug>::fmt", "<b::Y as c::Debug>::fmt"),
        ("<T as c::Debug>::fmt", "<b::Y as c::Display>::fmt"),
        ("a::f", "b::f::<u8>"),
        ("a::read_u32", "a::read_u64"),
        ("core::ptr::drop_in_place::<a::T>", "core::ptr::drop_in_place::<a::U>"),
        ("std::vector<int>::push_back", "std::vector<long>::push_back"),
    ],
)
def test_different_functions_never_become_one(one: str, other: str) -> None:
    assert common_spelling({one}, {other}) == {}
