"""Addresses get the names of the binary that ran, inlined calls included, and never those of another."""

import multiprocessing
import re
import struct
import subprocess
from pathlib import Path

import pytest

from fuselab.analysis.symbols.elf import read_image
from fuselab.analysis.symbols.maps import MIXED, Place
from fuselab.analysis.symbols.symbolizer import Symbols
from fuselab.errors import NotElfError


def offset_of(binary: Path, function: str) -> int:
    """File offset of a function's first byte, by nm and readelf."""
    listing = subprocess.run(["nm", str(binary)], capture_output=True, text=True, check=True).stdout
    address = next(int(line.split()[0], 16) for line in listing.splitlines() if line.endswith(f" {function}"))
    return next(a - v + o for o, n, v in read_image(binary).segments for a in (address,) if v <= a < v + n)


def compiled(folder: Path, *options: str) -> Path:
    source = folder / "two.c"
    source.write_text(
        "__attribute__((noinline)) int planted_function(int x) { return x * 3; }\n"
        "int main(int n, char **v) { (void)v; return planted_function(n); }\n"
    )
    subprocess.run(["gcc", "-O1", *options, str(source), "-o", str(folder / "two")], check=True)
    return folder / "two"


@pytest.mark.parametrize("options", [("-g",), ("-g", "-no-pie"), (), ("-no-pie", "-static")])
def test_position_independent_or_not_with_debug_information_or_only_a_symbol_table(
    tmp_path: Path, symbols: Symbols, options: tuple[str, ...]
) -> None:
    binary = compiled(tmp_path, *options)
    place = Place(str(binary), offset_of(binary, "planted_function") + 1)
    assert symbols.name([place]) == {place: ("planted_function",)}


COLD = """
#include <stdexcept>
#include <string>
#include <vector>
asm(".pushsection .text.unlikely, \\"ax\\", @progbits\\n.type stranger.cold, @function\\nstranger.cold:\\n"
    ".size stranger.cold, 0\\n.popsection");  // as of a function whose cold part is empty
__attribute__((noinline)) size_t planted(const std::string &name, size_t count) {
    std::vector<std::string> all;
    for (size_t i = 0; i < count; i++) {
        all.push_back(name + std::to_string(i));
        if (all.size() > 1000000) throw std::runtime_error("never " + name);
    }
    return all.size();
}
int main(int, char **argv) { return planted(argv[0], 1000) == 0; }
"""


@pytest.mark.parametrize("options", [("-g",), ()])
def test_a_function_is_not_called_after_what_is_rarely_run_of_it_or_of_a_stranger(
    tmp_path: Path, symbols: Symbols, options: tuple[str, ...]
) -> None:
    source, binary = tmp_path / "cold.cpp", tmp_path / "cold"
    source.write_text(COLD)
    subprocess.run(["g++", "-O2", *options, str(source), "-o", str(binary)], check=True)
    parts = [
        name for name in subprocess.check_output(["nm", str(binary)], text=True).split() if "planted" in name
    ]
    assert {part.partition(".")[2] for part in parts} == {"", "cold"}
    places = [Place(str(binary), offset_of(binary, part) + 8) for part in parts]
    said = symbols.name(places)
    assert [said[place][0] for place in places] == ["planted", "planted"]


def test_a_function_that_is_called_cold_keeps_its_name(tmp_path: Path, symbols: Symbols) -> None:
    """As Go's are, a package before them: `main.cold`."""
    (tmp_path / "cold.s").write_text(
        ".text\n.globl main.cold\n.type main.cold, @function\nmain.cold:\n.fill 16, 1, 0x90\nret\n.size main.cold, 17\n"
        '.section .note.GNU-stack, "", @progbits\n'
    )
    binary = tmp_path / "cold.so"
    subprocess.run(["gcc", "-shared", str(tmp_path / "cold.s"), "-o", str(binary)], check=True)
    place = Place(str(binary), offset_of(binary, "main.cold") + 1)
    assert symbols.name([place]) == {place: ("main.cold",)}


@pytest.mark.parametrize("kept", ["sections", "segments"])
def test_a_build_id_is_found_beside_the_note_of_gos_linker(tmp_path: Path, kept: str) -> None:
    """Go's note has 83 bytes, and may be all that the note segment covers: the build id then is in a section alone."""
    (tmp_path / "go.s").write_text(
        '.section .note.go.buildid, "a", @note\n.balign 4\n.long 4, 83, 4\n.asciz "Go\\0"\n'
        f'.ascii "{"x" * 83}"\n.balign 4\n.section .note.GNU-stack, "", @progbits\n'
    )
    binary = compiled(tmp_path, "-Wl,--build-id=sha1", str(tmp_path / "go.s"))
    said = subprocess.run(["readelf", "-n", binary], capture_output=True, text=True, check=True).stdout
    content = bytearray(binary.read_bytes())
    if kept == "sections":
        for at in note_segments(binary):
            content[at : at + 4] = bytes(4)  # PT_NULL
    else:
        content[40:48], content[58:64] = bytes(8), bytes(6)  # e_shoff, e_shentsize, e_shnum, e_shstrndx
    binary.write_bytes(content)
    assert re.search(r"Build ID: (\w+)", said)[1] == read_image(binary).build_id  # type: ignore[index]


def note_segments(binary: Path) -> list[int]:
    """Where the headers of the note segments are in a file of 64 bits."""
    content = binary.read_bytes()
    (start,), (size, count) = struct.unpack_from("<Q", content, 32), struct.unpack_from("<HH", content, 54)
    headers = [start + number * size for number in range(count)]
    return [at for at in headers if struct.unpack_from("<I", content, at) == (4,)]


def test_a_stripped_binary_is_named_by_its_separate_debug_file(tmp_path: Path) -> None:
    binary = compiled(tmp_path, "-g")
    place = Place(str(binary), offset_of(binary, "planted_function"))
    build_id = read_image(binary).build_id
    debug = tmp_path / "debug" / ".build-id" / build_id[:2] / f"{build_id[2:]}.debug"
    debug.parent.mkdir(parents=True)
    subprocess.run(["objcopy", "--only-keep-debug", str(binary), str(debug)], check=True)
    subprocess.run(["strip", str(binary)], check=True)
    bare = Symbols(cache_folder=tmp_path / "a")
    assert bare.name([place]) == {place: ()}
    helped = Symbols(cache_folder=tmp_path / "a", debug_roots=(tmp_path / "debug",))
    assert helped.name([place]) == {place: ("planted_function",)}


def test_a_symbol_without_a_size_names_nothing_behind_it(tmp_path: Path, symbols: Symbols) -> None:
    """Stripped programs that export `_init` would be made of it."""
    binary = compiled(tmp_path)
    place = Place(str(binary), offset_of(binary, "planted_function"))
    subprocess.run(["strip", "--keep-symbol=_init", str(binary)], check=True)
    assert symbols.name([place]) == {place: ()}


def test_a_binary_that_changed_since_the_capture_gives_no_names(tmp_path: Path, symbols: Symbols) -> None:
    binary = compiled(tmp_path, "-g")
    place = Place(str(binary), offset_of(binary, "planted_function"), "00" * 20)
    assert symbols.name([place]) == {place: ()}
    assert "not the file that was profiled" in symbols.problems[str(binary)]


def test_what_is_no_file_or_no_elf_is_unnamed_with_the_reason(tmp_path: Path, symbols: Symbols) -> None:
    (tmp_path / "text").write_text("no elf")
    places = [Place(str(tmp_path / "text"), 1), Place(str(tmp_path / "gone"), 1), Place("[vdso]", 1)]
    assert set(symbols.name(places).values()) == {()}
    assert set(symbols.problems) == {str(tmp_path / "text"), str(tmp_path / "gone")}
    with pytest.raises(NotElfError):
        read_image(tmp_path / "text")


def test_two_files_of_one_path_are_told_apart(tmp_path: Path, symbols: Symbols) -> None:
    """The first was kept by the capture, and is used instead of what lies there now."""
    binary = compiled(tmp_path, "-g")
    old = Place(str(binary), offset_of(binary, "planted_function"), read_image(binary).build_id)
    symbols.kept = {old.build_id: binary.rename(tmp_path / "kept")}
    compiled(tmp_path, "-g", "-O2", "-DOTHER")
    new = Place(str(binary), offset_of(binary, "main"), read_image(binary).build_id)
    assert new.build_id != old.build_id
    assert symbols.name([old, new]) == {old: ("planted_function",), new: ("main",)}
    both = Place(str(binary), new.offset, MIXED)
    assert symbols.name([both]) == {both: ()}
    assert MIXED in symbols.problems[str(binary)]


def _name_one(arguments: tuple[str, int, str]) -> tuple[str, ...]:
    module, offset, cache = arguments
    place = Place(module, offset)
    return Symbols(cache_folder=Path(cache)).name([place])[place]


def test_many_processes_may_ask_for_the_same_binary_at_once(programs: Path, tmp_path: Path) -> None:
    binary = programs / "inlined"
    job = (str(binary), offset_of(binary, "main"), str(tmp_path))
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        assert set(pool.map(_name_one, [job] * 4)) == {("main",)}
    build_id = read_image(binary).build_id
    assert [file.name.split(".")[0] for file in tmp_path.iterdir()] == [build_id]


def test_a_damaged_cache_is_made_again(programs: Path, tmp_path: Path) -> None:
    binary = programs / "waits"
    place = Place(str(binary), offset_of(binary, "naps"))
    assert Symbols(cache_folder=tmp_path).name([place])[place] == ("naps",)
    cache = next(tmp_path.glob("*.symcache"))
    cache.write_bytes(cache.read_bytes()[:100])
    assert Symbols(cache_folder=tmp_path).name([place])[place] == ("naps",)
