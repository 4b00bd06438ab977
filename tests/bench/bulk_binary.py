"""Large debug binaries for the benches: Rust generics instantiated many times over, kept under the user's cache.

The parts are compiled once; the 700 MB binary holds eight copies of them under different names, because compiling
that much would take the machine for many minutes and symbolisers cannot tell the difference.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

_VERSION = 1
_MODULES = 172
_PARTS = 43

_HEAD = """
#![allow(dead_code)]
use std::any::Any;
use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
pub type Kept = Vec<Box<dyn Any>>;
"""
_MODULE = """
mod m@ {
    use super::*;
    #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
    pub struct T@ { a: u64, b: String, c: Vec<u32>, d: Option<Box<T@>> }
    #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
    pub enum E@ { One(T@), Two { left: T@, right: Vec<T@> }, Three }
    fn make(i: u64) -> T@ { T@ { a: i, b: format!("{i}-@"), c: vec![i as u32; 4], d: None } }
    pub fn grow(n: u64) -> HashMap<T@, Vec<T@>> { (0..n).map(|i| (make(i), vec![make(i + 1)])).collect() }
    pub fn tree(n: u64) -> BTreeMap<T@, E@> {
        (0..n).map(|i| (make(i), if i % 2 == 0 { E@::One(make(i)) } else { E@::Three })).collect()
    }
    pub fn shuffle(n: u64) -> VecDeque<T@> {
        let mut all: Vec<T@> = (0..n).map(|i| make(i * 7919 % n)).collect();
        all.sort();
        all.sort_by_key(|t| t.c.clone());
        all.dedup();
        let seen: HashSet<&T@> = all.iter().collect();
        let text = format!("{:?}", seen.len());
        all.iter().filter(|t| t.b.len() < 9 + text.len()).cloned().collect()
    }
    pub fn run(kept: &mut Kept, n: u64) {
        kept.push(Box::new(grow(n)));
        kept.push(Box::new(tree(n)));
        kept.push(Box::new(shuffle(n)));
    }
}
"""
_MAIN = """
use std::any::Any;
extern "Rust" { @declarations }
fn main() {
    let mut args = std::env::args().skip(1).map(|v| v.parse::<u64>().unwrap());
    let (rounds, stride) = (args.next().unwrap_or(1), args.next().unwrap_or(1));
    let mut kept: Vec<Box<dyn Any>> = Vec::new();
    for _ in 0..rounds { unsafe { @calls } }
    println!("{}", kept.len());
    std::mem::forget(kept);
}
"""


def bulk_binary(copies: int) -> Path:
    """`bulk ROUNDS STRIDE` allocates and keeps memory in every STRIDEth module; 140 MB per copy, roughly."""
    folder = _folder()
    binary = folder / f"bulk-{copies}"
    if binary.is_file():
        return binary
    print(f"building {binary} (once)", file=sys.stderr)
    with _objects(copies) as objects:
        main = folder / f"main-{copies}.rs"
        names = [_entry(number, part) for number in range(copies) for part in range(_PARTS)]
        declared = "".join(f"fn {name}(kept: &mut Vec<Box<dyn Any>>, stride: u64); " for name in names)
        called = "".join(f"{name}(&mut kept, stride); " for name in names)
        main.write_text(_MAIN.replace("@declarations", declared).replace("@calls", called))
        link = [option for file in objects for option in ("-C", f"link-arg={file}")]
        _run(["rustc", "--edition", "2021", "-C", "debuginfo=2", "-C", "force-frame-pointers=yes", *link,
              str(main), "-o", str(binary)])  # fmt: skip
    return binary


def plain_demofs(checkout: Path) -> Path:
    """demofs as it is, released."""
    target = _folder() / "demofs"
    _run(["cargo", "build", "--locked", "--release", "--bin", "demofs",
          "--manifest-path", str(checkout / "targets/demofs/Cargo.toml"), "--target-dir", str(target)], {})  # fmt: skip
    return target / "release" / "demofs"


def bulky_demofs(copies: int, checkout: Path) -> Path:
    """demofs with the modules of `copies` linked in: it never calls them, but they and their debug information are
    there for whoever reads the binary."""
    sources = [
        checkout / "targets/demofs/Cargo.lock",
        *sorted((checkout / "targets/demofs/src").rglob("*.rs")),
    ]
    content = hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:12]
    binary = _folder() / f"demofs-{copies}-{content}"
    if binary.is_file():
        return binary
    for old in _folder().glob(f"demofs-{copies}*"):
        old.unlink()
    print(f"building {binary} (once)", file=sys.stderr)
    with _objects(copies) as objects:
        link = [option for file in objects for option in ("-C", f"link-arg={file}")]
        env = {"RUSTFLAGS": "-C force-frame-pointers=yes", "CARGO_PROFILE_RELEASE_DEBUG": "limited"}
        target = _folder() / "cargo"
        # `cargo rustc`: the options are for the program alone, not for every build script.
        _run(["cargo", "rustc", "--locked", "--release", "--bin", "demofs", "--features", "profiling",
              "--manifest-path", str(checkout / "targets/demofs/Cargo.toml"), "--target-dir", str(target),
              "--", *link, "-C", "link-dead-code"], env)  # fmt: skip
        shutil.move(target / "release" / "demofs", binary)
    return binary


@contextmanager
def _objects(copies: int) -> Iterator[list[Path]]:
    """The copies as object files, for as long as something is linked with them."""
    files = [_copy(_folder(), number) for number in range(copies)]
    try:
        yield files
    finally:
        for file in files:
            file.unlink()


def _folder() -> Path:
    root = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = root / "fuselab" / "bench" / f"bulk-v{_VERSION}"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _copy(folder: Path, number: int) -> Path:
    """All parts as one object file, under entry points of its own; everything else in it is made local."""
    copy = folder / f"bulk-{number}.o"
    # The reference to the unwinder's personality is shared by all objects of a binary.
    keep = [f"--keep-global-symbol={name}" for name in ("bulk_part_*", "DW.ref.rust_eh_personality")]
    rename = [f"--redefine-sym=bulk_part_{part}={_entry(number, part)}" for part in range(_PARTS)]
    _run(["ld", "-r", "-o", str(copy), *(str(_part(folder, part)) for part in range(_PARTS))])
    _run(["objcopy", "--wildcard", *keep, str(copy)])
    _run(["objcopy", *rename, str(copy)])
    return copy


def _entry(number: int, part: int) -> str:
    return f"bulk_{number}_{part}"


def _part(folder: Path, part: int) -> Path:
    """One compilation unit with its share of the modules."""
    target = folder / f"part-{part}.o"
    if not target.is_file():
        source = folder / f"part-{part}.rs"
        numbers = range(part, _MODULES, _PARTS)
        calls = "".join(f"if stride <= 1 || {i} % stride == 0 {{ m{i}::run(kept, 8); }}" for i in numbers)
        entry = f"#[no_mangle] pub fn bulk_part_{part}(kept: &mut Kept, stride: u64) {{ {calls} }}\n"
        source.write_text(_HEAD + "".join(_MODULE.replace("@", str(i)) for i in numbers) + entry)
        _run(["rustc", "--edition", "2021", "--crate-type", "lib", "--emit", f"obj={target}", "-C", "codegen-units=1",
              "-C", "debuginfo=2", "-C", "opt-level=0", "-C", "force-frame-pointers=yes", str(source)])  # fmt: skip
    return target


def _run(argv: list[str], env: Mapping[str, str] | None = None) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, env=os.environ | dict(env or {}))
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(argv)}\n{done.stderr[-3000:]}")
