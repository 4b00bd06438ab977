"""An address is what it is in one process at one time."""

import functools

from fuselab.analysis.symbols.maps import MIXED, NOTHING_MAPPED, AddressSpace, MappedFile, Place

A = MappedFile(0x1000, 0x5000, 0x200, "/a.so", "aa")


def address_space(mappings: list[MappedFile]) -> AddressSpace:
    """All together, in the order in which they were made."""
    return functools.reduce(AddressSpace.with_mapping, mappings, NOTHING_MAPPED)


def test_an_address_is_an_offset_in_the_file_that_is_mapped_there() -> None:
    space = address_space([A])
    assert space.locate(0x1010) == Place("/a.so", 0x210, "aa")
    assert space.locate(0xFFF) is None
    assert space.locate(0x5000) is None


def test_what_is_mapped_later_takes_the_place_of_what_was_there() -> None:
    before = address_space([A])
    after = before.with_mapping(MappedFile(0x2000, 0x3000, 0, "/b.so", "bb"))
    assert before.locate(0x2345) == Place("/a.so", 0x1545, "aa")
    assert after.locate(0x2345) == Place("/b.so", 0x345, "bb")
    # What is left of the other one is where it was.
    assert after.locate(0x1FFF) == Place("/a.so", 0x11FF, "aa")
    assert after.locate(0x3000) == Place("/a.so", 0x2200, "aa")


def test_a_path_by_which_two_files_are_mapped_has_no_build_id() -> None:
    other = MappedFile(0x9000, 0xA000, 0, "/a.so", "cc")
    assert address_space([A]).build_id_of("/a.so") == "aa"
    assert address_space([A, other]).build_id_of("/a.so") == MIXED
    assert address_space([A]).build_id_of("/elsewhere") == ""
