"""Which code of fuselab makes something, by its own imports: a hash that an edit of a comment does not change.

A module counts by its syntax tree without docstrings. What it imports is followed, and what it names: modules that it
starts as programs, and fuselab's own programs of tools/. Of a package that is reached, what is no code counts too:
templates and schemas.
"""

from __future__ import annotations

import ast
import hashlib
import os
import re
from collections.abc import Iterable, Iterator
from contextlib import suppress
from functools import cache
from pathlib import Path

import msgspec

from fuselab import plugins

PACKAGE = Path(__file__).parent
_MEASURING = ("measuring", "rig")
"""Rooms that make runs, with what they import while they load."""
_LOOKING = {
    "capture": "fuselab.profilers",
    "cost": "fuselab.profilers",
    "work": "fuselab.profilers.perf_counts",
}
"""What else a run that is looked at, or counted, is made by."""
_READING = "analysis"
"""The room that reads what was captured, and makes none of it."""
_MODULE = re.compile(r"fuselab\.\w+(\.\w+)+")
_PROGRAM = re.compile(r"fuselab-(\w+)")


class Module(msgspec.Struct, frozen=True):
    """What is known of a module's file."""

    code: str
    """Hash of its syntax tree without docstrings."""
    imports: tuple[str, ...]
    """Names of fuselab's that it imports, modules or what is in them, and of modules that it starts."""
    lazy: tuple[str, ...]
    """Those that its functions import when they are called."""
    programs: tuple[str, ...]
    """Folders of tools/ whose programs it calls."""


@cache
def measuring_code(purpose: str) -> str:
    """Short hash of the modules that make runs of `purpose`.

    What a function imports when it is called is no part of it: so profilers import what reads their captures, and an
    edit there measures nothing again.
    """
    modules = (path.relative_to(PACKAGE) for room in _MEASURING for path in (PACKAGE / room).rglob("*.py"))
    names = [".".join(("fuselab", *path.with_suffix("").parts)) for path in modules]
    looking = [_LOOKING[purpose]] if purpose in _LOOKING else []
    return _digest(_reached([*names, *looking], lazy=False), _registered())


@cache
def step_code(script: Path) -> str:
    """Short hash of all that `script`, the file of a rule, runs or reads."""
    module = _read(str(script))
    modules = _reached((*module.imports, *module.lazy), lazy=True)
    programs = {name for path in modules for name in _read(path).programs}
    folders = {os.path.dirname(path) for path in modules}
    folders |= {str(PACKAGE.parents[1] / "tools" / name / "src") for name in programs}
    files = (file for folder in folders for file in _data(folder))
    return _digest([str(script), *modules], [*files, *_registered()])


def _digest(modules: Iterable[str], data: Iterable[tuple[str, str]] = ()) -> str:
    parts = [*((path, _read(path).code) for path in modules), *data]
    _keep()
    root = f"{PACKAGE.parents[1]}/"
    return _short("".join(f"{path.removeprefix(root)}\0{code}\0" for path, code in sorted(parts)).encode())


def _registered() -> Iterator[tuple[str, str]]:
    """Modules of other packages that are loaded wherever fuselab's own are."""
    return ((name, _read(str(path)).code) for name, path in plugins.sources())


def _reached(names: Iterable[str], lazy: bool) -> set[str]:
    """Files of all modules that `names` lead to, with the packages they are in; where not `lazy`, none that reads."""
    found: set[str] = set()
    seen: set[str] = set()
    ahead = set(names)
    while ahead:
        seen |= ahead
        new = {path for name in ahead for path in _files(name)} - found
        found |= new if lazy else {path for path in new if not path.startswith(f"{PACKAGE / _READING}/")}
        modules = [_read(path) for path in new & found]
        ahead = {name for m in modules for name in (*m.imports, *(m.lazy if lazy else ()))} - seen
    return found


@cache
def _files(name: str) -> tuple[str, ...]:
    """The module `name`, as far as it is one, and the packages around it."""
    _, *words = name.split(".")
    places = ["/".join((str(PACKAGE), *words[:depth])) for depth in range(len(words) + 1)]
    files = [file for place in places for file in (f"{place}/__init__.py", f"{place}.py")]
    return tuple(file for file in files if os.path.isfile(file))


@cache
def _data(folder: str) -> list[tuple[str, str]]:
    """What is no module, in `folder` and those below that are no packages: paths and hashes."""
    found = []
    for path, folders, names in os.walk(folder):
        folders[:] = [
            f for f in folders if f != "__pycache__" and not os.path.exists(f"{path}/{f}/__init__.py")
        ]
        files = (Path(path, name) for name in names if not name.endswith(".py"))
        found += [(str(file), _short(file.read_bytes())) for file in files]
    return found


def _read(path: str) -> Module:
    if path not in _READ:
        source = Path(path).read_bytes()
        content, known = _short(source), _kept()
        if content not in known:
            known[content] = _parsed(source)
            _UNKEPT.add(content)
        _READ[path] = known[content]
    return _READ[path]


_READ: dict[str, Module] = {}
_UNKEPT: set[str] = set()
_MOST = 2000
"""Of contents that are kept: more than that are those of files that have been edited since."""


def forget(path: Path | None = None) -> None:
    """Read the file `path`, or all of them, anew: for whoever edits one while this process lives."""
    for cached in (measuring_code, step_code, _data):
        cached.cache_clear()
    if path is not None:
        _READ.pop(str(path), None)
    else:
        _READ.clear()
        _files.cache_clear()


def _parsed(source: bytes) -> Module:
    tree = ast.parse(source)
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            node.value = ast.Constant(None)
    found: dict[str, set[str]] = {"imports": set(), "lazy": set(), "programs": set()}
    _look(tree, "imports", found)
    names = {kind: tuple(sorted(words)) for kind, words in found.items()}
    return Module(code=_short(_spelled(tree).encode()), **names)


def _look(node: ast.AST, kind: str, found: dict[str, set[str]]) -> None:
    """Add the names that stand in `node`. What is imported for type checkers alone is never run."""
    for child in ast.iter_child_nodes(node):
        match child:
            case ast.If(test=ast.Name("TYPE_CHECKING")):
                continue
            case ast.Import(names):
                found[kind] |= {name.name for name in names if name.name.startswith("fuselab.")}
            case ast.ImportFrom(str(module), names, 0) if f"{module}.".startswith("fuselab."):
                found[kind] |= {f"{module}.{name.name}" for name in names}
            case ast.Constant(str(text)) if _MODULE.fullmatch(text):
                found["imports"].add(text)
            case ast.Constant(str(text)) if program := _PROGRAM.fullmatch(text):
                found["programs"].add(program[1])
            case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.Lambda():
                _look(child, "lazy", found)
            case _:
                _look(child, kind, found)


def _spelled(node: object) -> str:
    """A syntax tree as text. `ast.dump` writes out what is empty, which is not the same in every Python."""
    if isinstance(node, ast.AST):
        fields = ((name, getattr(node, name, None)) for name in node._fields)
        said = " ".join(f"{name}={_spelled(value)}" for name, value in fields if value not in (None, []))
        return f"{type(node).__name__}({said})"
    return f"[{' '.join(map(_spelled, node))}]" if isinstance(node, list) else repr(node)


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:12]


def _store() -> Path:
    """Where what was parsed is kept for the next process, as Python keeps what it compiles."""
    return PACKAGE / "__pycache__" / "code.msgpack"


@cache
def _kept() -> dict[str, Module]:
    """By the hash of a file's bytes."""
    with suppress(OSError, msgspec.MsgspecError):
        made_by, modules = msgspec.msgpack.decode(_store().read_bytes(), type=tuple[str, dict[str, Module]])
        return modules if made_by == _myself() and len(modules) < _MOST else {}
    return {}


def _keep() -> None:
    if _UNKEPT:
        half = _store().with_suffix(f".{os.getpid()}.half")
        with suppress(OSError):
            half.parent.mkdir(exist_ok=True)
            half.write_bytes(msgspec.msgpack.encode((_myself(), _kept())))
            half.replace(_store())
        _UNKEPT.clear()


def _myself() -> str:
    return _short(Path(__file__).read_bytes())
