"""A function belongs to the span that `#[instrument]` made of it, and to no other."""

from __future__ import annotations

import pytest

from fuselab.analysis.spans.functions import FunctionIndex, SpanKey, is_own, known, parse_function

WRITE = SpanKey("demofs::fs", "write")
EXTEND = SpanKey("demofs::fs", "extend_file_size")
STAT = SpanKey("demofs::meta", "stat")
OTHER_WRITE = SpanKey("demofs::chunks", "write")


@pytest.fixture
def index() -> FunctionIndex:
    return FunctionIndex([WRITE, EXTEND, STAT, OTHER_WRITE])


@pytest.mark.parametrize(
    ("frame", "span"),
    [
        ("demofs::fs::Fs::extend_file_size::{{closure}}", EXTEND),
        ("<demofs::meta::Sqlite as demofs::meta::Store>::stat::{{closure}}", STAT),
        ("<alloc::sync::Arc<demofs::meta::Sqlite> as demofs::meta::Store>::stat::{{closure}}", STAT),
        ("<&demofs::meta::Sqlite as demofs::meta::Store>::stat", STAT),
        ("demofs::fs::write", WRITE),
        ("demofs::fs::Fs<demofs::meta::Sqlite>::write::{{closure}}::{{closure}}", WRITE),
        ("demofs::chunks::Chunks::write::{{closure}}", OTHER_WRITE),
        ("demofs::fs::Fs::extend_file_size::{{closure}}::helper", EXTEND),
        ("<demofs::meta::sqlite::Sqlite as demofs::meta::Store>::stat::{{closure}}", STAT),
    ],
)
def test_a_function_is_found_by_name_and_module(index: FunctionIndex, frame: str, span: SpanKey) -> None:
    assert index.span_of(frame) == span


@pytest.mark.parametrize(
    "frame",
    [
        "std::io::Write::write",
        "other::fs::Fs::extend_file_size",
        "demofs::fs::Fs::extend_file_size_again::{{closure}}",
        "write",
        "vfs_write_[k]",
        "0x7f00dead",
        "<u8 as core::fmt::Display>::fmt",
        "tokio::runtime::task::raw::poll<F,S>",
        "demofs::elsewhere::write",  # two spans have the name: neither is taken by kinship
    ],
)
def test_others_belong_to_no_span(index: FunctionIndex, frame: str) -> None:
    assert index.span_of(frame) is None


def test_the_innermost_function_of_a_stack_counts(index: FunctionIndex) -> None:
    stack = (
        "tokio-rt-worker",
        "demofs::fs::Fs::write::{{closure}}",
        "demofs::fs::Fs::extend_file_size::{{closure}}",
        "memcpy",
    )
    assert index.innermost(stack) == EXTEND
    assert index.innermost(stack[:2]) == WRITE
    assert index.innermost(("swapper", "memcpy")) is None


def test_arrows_and_nested_brackets_do_not_confuse_it() -> None:
    found = parse_function(
        "<demofs::fs::Fs<fn(u8) -> core::option::Option<u8>> as a::B<c::D>>::read::{{closure}}"
    )
    assert found is not None
    assert (found.name, found.modules) == ("read", ("demofs::fs",))


@pytest.mark.parametrize(
    ("frame", "own"),
    [
        ("demofs::planted::burn_copy", True),
        ("<demofs::meta::Sqlite as core::clone::Clone>::clone", True),
        ("ns::Cache::insert(int)", True),
        ("<u64>::unchecked_add", False),
        ("<alloc::vec::Vec<u8>>::extend_from_slice", False),
        ("<&mut core::ops::range::Range<u64> as core::iter::Iterator>::next", False),
        ("hashbrown::map::HashMap<K,V>::insert", False),
        ("tracing_core::span::Id::clone", False),
        ("corelib::run", True),
        ("writev", False),
    ],
)
def test_who_wrote_a_function(frame: str, own: bool) -> None:
    assert is_own(frame) is own


@pytest.mark.parametrize(
    ("stack", "said"),
    [
        (
            "demofs::fs::write::{{closure}};demofs::planted::burn_copy;<u64>::unchecked_add",
            "demofs::planted::burn_copy",
        ),
        ("demofs::fs::write::{{closure}};core::num::wrapping_add", "demofs::fs::write"),
        ("demofs::fs::write;std::io::Write::write_all;writev;vfs_writev_[k]", "writev"),
        ("main;copy_all;__memmove_avx_unaligned_erms", "__memmove_avx_unaligned_erms"),
        ("ret_from_fork_[k];worker_thread_[k]", "worker_thread_[k]"),
        ("[demofs];<u64>::unchecked_add", "<u64>::unchecked_add"),
    ],
)
def test_a_stack_is_called_by_the_innermost_function_that_a_reader_knows(stack: str, said: str) -> None:
    assert known(("demofs", *stack.split(";"))) == said
