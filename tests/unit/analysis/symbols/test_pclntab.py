"""A Go program has its names whatever is stripped, as nm has them of the same program unstripped."""

import gzip
import os
import shutil
import struct
import subprocess
from pathlib import Path

import pytest

from fuselab.analysis.symbols.elf import read_image
from fuselab.analysis.symbols.maps import Place
from fuselab.analysis.symbols.pclntab import parse, read_go_table
from fuselab.analysis.symbols.symbolizer import Symbols

GO = shutil.which("go")
ETCD = shutil.which("etcd")
"""Debian's: Go 1.19, stripped by its package."""

needs_go = pytest.mark.skipif(GO is None, reason="no Go toolchain is installed")


def built(folder: Path, golden: Path, mode: str, linked: str, flags: str) -> Path:
    binary = folder / f"planted-{mode}-{linked}{flags.replace(' ', '')}"
    source = (golden / "make/planted.go").read_text()
    if linked == "external":
        # An external linker puts C before Go's code.
        source = source.replace("package main\n", 'package main\n\n// #include <stdlib.h>\nimport "C"\n', 1)
        source = source.replace("var s store\n", "var s store\n\tC.abs(1)\n", 1)
    (folder / "go.mod").write_text("module planted.example/go\n\ngo 1.21\n")
    (folder / "main.go").write_text(source)
    env = {**os.environ, "CGO_ENABLED": str(int(linked == "external")), "GOFLAGS": "-mod=mod"}
    argv = [
        str(GO),
        "build",
        f"-buildmode={mode}",
        f"-ldflags=-linkmode={linked} {flags}",
        "-o",
        str(binary),
        ".",
    ]
    subprocess.run(argv, cwd=folder, env=env, check=True, capture_output=True)
    return binary


def functions_of(binary: Path) -> dict[int, str]:
    """Address -> name of what nm calls a function of main."""
    listing = subprocess.run(["nm", str(binary)], capture_output=True, text=True, check=True).stdout
    rows = (line.split(None, 2) for line in listing.splitlines())
    return {
        int(row[0], 16): row[2]
        for row in rows
        if len(row) == 3 and row[2].startswith("main.") and row[1] in "tT"
    }


@needs_go
@pytest.mark.parametrize(("mode", "linked"), [("pie", "internal"), ("exe", "external"), ("pie", "external")])
def test_a_stripped_program_is_named_as_nm_names_the_whole_one(
    mode: str, linked: str, golden: Path, tmp_path: Path
) -> None:
    if linked == "external" and not shutil.which("gcc"):
        pytest.skip("no C compiler")
    whole, bare = (built(tmp_path, golden, mode, linked, flags) for flags in ("", "-s -w"))
    table = read_go_table(bare)
    assert table is not None
    truth = functions_of(whole)
    assert "main.(*store).keep" in truth.values()
    for address, name in truth.items():
        assert table.at(address) == table.at(address + 1) == name.removesuffix(".abi0")
    assert table.at(int(table.starts[0]) - 1) == table.at(int(table.starts[-1])) == ""


@needs_go
def test_a_place_in_a_stripped_program_has_its_function(
    golden: Path, tmp_path: Path, symbols: Symbols
) -> None:
    whole, bare = (built(tmp_path, golden, "exe", "internal", flags) for flags in ("", "-s -w"))
    (address,) = (at for at, name in functions_of(whole).items() if name == "main.(*store).keep")
    (offset,) = (o + address - v for o, n, v in read_image(bare).segments if v <= address < v + n)
    for binary, folder in ((bare, tmp_path), (whole, tmp_path)):
        place = Place(str(binary), offset + 1)
        assert symbols.name([place])[place][0] == "main.(*store).keep", folder


@pytest.mark.skipif(ETCD is None, reason="etcd is not installed")
def test_a_package_written_in_go_has_names() -> None:
    table = read_go_table(Path(str(ETCD)))
    assert table is not None
    # What C calls is in the table for the dynamic linker, too.
    listing = subprocess.run(["nm", "-D", str(ETCD)], capture_output=True, text=True, check=True).stdout
    (address,) = (line.split()[0] for line in listing.splitlines() if line.endswith(" crosscall2"))
    assert table.at(int(address, 16)) == "crosscall2"
    names = {table.at(int(start)) for start in table.starts[:-1]}
    assert {"main.main", "runtime.goexit", "runtime.mallocgc"} <= names


@needs_go
def test_the_table_of_go_1_15_is_read() -> None:
    """Go's own test data: a table of Go 1.15, whose first function starts its `.text`."""
    root = subprocess.run(
        [str(GO), "env", "GOROOT"], capture_output=True, text=True, check=True
    ).stdout.strip()
    data = gzip.decompress((Path(root) / "src/debug/gosym/testdata/pcln115.gz").read_bytes())
    table = parse(data, 0)
    assert table is not None
    names = [table.at(int(start)) for start in table.starts[:-1]]
    assert {"main.main", "runtime.goexit", "runtime.mallocgc"} <= set(names)
    assert list(table.starts) == sorted(table.starts)


def test_the_table_of_go_1_16_is_read() -> None:
    """By hand, as runtime/symtab.go of Go 1.16 lays it out: two functions, `a.f` at 0x1000 and `a.g` at 0x1040."""
    names = b"a.f\0a.g\0"
    table = struct.pack("<5Q", 0x1000, 40, 0x1040, 56, 0x1080)
    records = struct.pack("<Qii", 0x1000, 0, 0) + struct.pack("<Qii", 0x1040, 4, 0)
    places = (64, 64, 64, 64, 64 + len(names))  # names, units, files, lines, functions
    header = struct.pack("<IBBBB", 0xFFFFFFFA, 0, 0, 1, 8) + struct.pack("<7Q", 2, 0, *places)
    found = parse(header + names + table + records, 0)
    assert found is not None
    assert [found.at(address) for address in (0xFFF, 0x1000, 0x103F, 0x1040, 0x107F, 0x1080)] == [
        "", "a.f", "a.f", "a.g", "a.g", "",
    ]  # fmt: skip


@pytest.mark.parametrize("broken", [b"", b"\xf1\xff\xff\xff\0\0\1\x08", b"\0" * 200])
def test_what_is_no_table_has_no_names(broken: bytes, tmp_path: Path) -> None:
    (tmp_path / "x.S").write_text(
        '.section .gopclntab, "a"\n'
        + "".join(f".byte {byte}\n" for byte in broken)
        + '.section .note.GNU-stack,""\n'
    )
    (tmp_path / "x.c").write_text("int main(void) { return 0; }\n")
    binary = tmp_path / "x"
    subprocess.run(["gcc", "-s", str(tmp_path / "x.c"), str(tmp_path / "x.S"), "-o", str(binary)], check=True)
    assert read_go_table(binary) is None
