"""Names mean the same whichever way a toolchain mangles them, and never break a folded line."""

import pytest

from fuselab.analysis.names import demangle, foldable


@pytest.mark.parametrize(
    ("mangled", "plain"),
    [
        # Legacy Rust: the hash goes, a closure stays one.
        ("_ZN4burn6middle28_$u7b$$u7b$closure$u7d$$u7d$17h71c8c646c6a327d2E", "burn::middle::{{closure}}"),
        # v0 Rust: no crate hashes, an inherent implementation without its brackets.
        ("_RNvMs16_NtCsjrHSEGnQ3l9_3std4pathNtB6_4Path10components", "std::path::Path::components"),
        (
            "_RNvXs1c_NtNtCsgEmfK2I1SDS_4core3cmp5implslNtB8_10PartialOrd2lt",
            "<i32 as core::cmp::PartialOrd>::lt",
        ),
        # Both spell a closure alike.
        (
            "_RNCNvNtCsjrHSEGnQ3l9_3std2rt19lang_start_internal0B5_",
            "std::rt::lang_start_internal::{{closure}}",
        ),
        # C++ keeps its template arguments and loses its parameters; C stays.
        ("_ZNSt6vectorIiSaIiEE9push_backEOi", "std::vector<int, std::allocator<int> >::push_back"),
        ("main", "main"),
    ],
)
def test_one_spelling_for_both_manglings(mangled: str, plain: str) -> None:
    assert demangle([mangled]) == {mangled: plain}


def test_a_batch_keeps_every_name_apart() -> None:
    names = ["_ZNSt6vectorIiSaIiEE9push_backEOi", "main", "_Znot_mangled", "operator new"]
    assert set(demangle(names)) == set(names)
    assert demangle(names)["_Znot_mangled"] == "_Znot_mangled"


def test_no_name_splits_a_frame() -> None:
    assert foldable("<[u8; 4] as Default>::default") == "<[u8, 4] as Default>::default"
    assert ";" not in foldable("a::b::<[[u8; 4]; 2]>")


def test_brackets_go_only_around_plain_paths() -> None:
    assert foldable("<a::T<X, Y>>::f") == "a::T<X, Y>::f"
    assert foldable("<a::T as b::Trait>::f") == "<a::T as b::Trait>::f"
    assert foldable("<[T]>::sort") == "<[T]>::sort"
    assert foldable("<dyn core::any::Any>::is") == "<dyn core::any::Any>::is"
    assert foldable("<fn() -> a::B as c::D>::f") == "<fn() -> a::B as c::D>::f"
