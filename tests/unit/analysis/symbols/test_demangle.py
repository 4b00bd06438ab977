"""Names mean the same whichever way a toolchain mangles them, and never break a folded line."""

import pytest

from fuselab.analysis.symbols.demangle import demangle, foldable


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


@pytest.mark.parametrize(
    ("mangled", "plain"),
    [
        # An impl in another module than its type.
        (
            "_ZN4many35_$LT$impl$u20$many..inner..Leaf$GT$10from_above17h118e7384e5edf483E",
            "many::inner::Leaf::from_above",
        ),
        ("_ZN4core3str21_$LT$impl$u20$str$GT$4trim17h0123456789abcdefE", "<str>::trim"),
        # Lists and bounds in drop glue.
        (
            "_ZN4core3ptr154drop_in_place$LT$alloc..boxed..Box$LT$dyn$u20$core..ops..function..FnOnce$LT$$LP$$RP$$GT$"
            "$u2b$Output$u20$$u3d$$u20$$LP$$RP$$u2b$core..marker..Send$GT$$GT$17h0123456789abcdefE.llvm.123",
            "core::ptr::drop_in_place::<alloc::boxed::Box<dyn core::ops::function::FnOnce<(), Output = ()> + "
            "core::marker::Send>>",
        ),
        # Beyond ASCII.
        ("_RNvMNtCs5nrm1ok5dX1_4manyu9gre_6ka8iNtB2_u9Strae_oqau8lnge_loa", "many::größe::Straße::länge"),
        # No Rust at all.
        ("_RAND_bytes", "_RAND_bytes"),
        ("RAND_bytes", "RAND_bytes"),
    ],
)
def test_what_c_plus_plus_filt_falls_short_of(mangled: str, plain: str) -> None:
    assert demangle([mangled]) == {mangled: plain}
