"""What a page carries of folded stacks, and what its boxes are called."""

import json
from pathlib import Path
from typing import Any

import pytest

from fuselab.analysis.symbols.short import KERNEL, OWN, Owners, enclosing, label
from fuselab.report.flame import packed


def carried(tmp_path: Path, text: str) -> Any:
    path = tmp_path / "folded.txt"
    path.write_text(text)
    return json.loads(packed(path, "ns on CPU", {"demofs"}))


def stacks(tree: Any, column: str) -> dict[str, int]:
    """The stacks again, from the tree."""
    path: list[str] = []
    found = {}
    for depth, name, value in zip(tree["depth"], tree["name"], tree[column], strict=True):
        path[depth:] = [tree["names"][name][0]]
        if value:
            found[";".join(path)] = value
    return found


def test_the_tree_holds_every_stack_once(tmp_path: Path) -> None:
    tree = carried(tmp_path, "b;c 4\na;b 1\na;b;c d 2\na;b;c 3\na;b 10\n")
    assert stacks(tree, "value") == {"a;b": 11, "a;b;c": 3, "a;b;c d": 2, "b;c": 4}
    assert tree["depth"] == [0, 1, 2, 2, 0, 1]
    assert "before" not in tree


def test_a_difference_keeps_what_only_one_side_has(tmp_path: Path) -> None:
    tree = carried(tmp_path, "a;gone 7 0\na;new 0 5\na;read u32 1 2\n")
    assert stacks(tree, "before") == {"a;gone": 7, "a;read u32": 1}
    assert stacks(tree, "value") == {"a;new": 5, "a;read u32": 2}


def test_no_stack_is_an_empty_tree(tmp_path: Path) -> None:
    assert carried(tmp_path, "")["depth"] == []


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("demofs::fs::Fs::extend_file_size::{{closure}}", "Fs::extend_file_size"),
        ("<demofs::a::B<X> as core::fmt::Debug>::fmt", "B::fmt"),
        ("<&mut T as tokio::Z>::poll", "T::poll"),
        ("alloc::vec::Vec::<u8>::push", "Vec::push"),
        ("core::ptr::drop_in_place::<demofs::fs::Fs>", "ptr::drop_in_place"),
        ("vfs_write_[k]", "vfs_write"),
        ("sqlite3_step", "sqlite3_step"),
        ("{{closure}}", "{{closure}}"),
    ],
)
def test_a_short_name_is_the_last_two_words_of_the_path(name: str, short: str) -> None:
    assert label(name) == short


def test_own_functions_are_told_from_a_runtime_s_and_a_library_s() -> None:
    names = {
        "demofs::fs::write": OWN,
        "demofs_meta::put": OWN,
        "<demofs::a::B as core::fmt::Debug>::fmt": OWN,
        "tokio::runtime::task::poll": "tokio",
        "core::ptr::drop_in_place::<demofs::X>": "core",
        "sqlite3_step": "C",
        "[libc.so.6]": "libc.so.6",
        "vfs_write_[k]": KERNEL,
    }
    owners = Owners(names, {"demofs"})
    assert {name: owners.of(name) for name in names} == names


@pytest.mark.parametrize(
    ("name", "function"),
    [
        ("demofs::fs::Fs::write::{{closure}}::{{closure}}", "demofs::fs::Fs::write"),
        ("demofs::fs::Fs::write::{closure#0}", "demofs::fs::Fs::write"),
        ("store::Chunks::at_fault(long)::{lambda()#1}::operator()() const", "store::Chunks::at_fault(long)"),
        ("main.(*chunks).atFault.func1.2", "main.(*chunks).atFault"),
        ("demofs::fs::{{closure}}::inner", "demofs::fs::{{closure}}::inner"),
        ("main.func1x", "main.func1x"),
        ("{{closure}}", "{{closure}}"),
    ],
)
def test_a_closure_belongs_to_its_function(name: str, function: str) -> None:
    assert enclosing(name) == function


def test_libraries_of_other_languages_are_not_own() -> None:
    names = ("usleep", "pthread_mutex_lock", "operator new(unsigned long)", "time.Sleep", "os.(*File).Write")
    owners = Owners((*names, "<*const T>::read", "main.work"), {"server"})
    assert [owners.of(name) for name in names] == ["C"] * len(names)
    assert owners.of("<*const T>::read") == "core"
    assert owners.of("main.work") == OWN


def test_where_no_crate_is_all_is_own_that_no_runtime_has() -> None:
    names = {
        "bb_write": OWN,
        "write": OWN,
        "idle": OWN,
        "__libc_pwrite64": "C",
        "_start": "C",
        "start_thread": "C",
    }
    owners = Owners(names, {"bindfs"})
    assert {name: owners.of(name) for name in names} == names
