"""Editors read schemas with the names of the project, and refuse a name that `check` refuses."""

import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fuselab.commands.editors import FOLDER, write
from fuselab.project import CHECKOUT
from fuselab.schema.yaml_source import read_yaml

BROKEN = Path(__file__).resolve().parents[2] / "broken"


@pytest.fixture
def world(tmp_path: Path) -> Path:
    shutil.copytree(BROKEN / "repository", tmp_path, dirs_exist_ok=True)
    (tmp_path / "Snakefile").touch()
    (tmp_path / "experiments").mkdir()
    write(tmp_path)
    return tmp_path


def refused(world: Path, file: Path, kind: str = "experiment") -> list[str]:
    """Where an editor marks the file."""
    schema: dict[str, Any] = json.loads((world / FOLDER / f"{kind}.schema.json").read_text())
    Draft202012Validator.check_schema(schema)
    errors = Draft202012Validator(schema).iter_errors(read_yaml(file, file.name).data)
    return sorted(".".join(map(str, error.absolute_path)) for error in errors)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("unknown-target", "target"),
        ("unknown-backend", "backend"),
        ("unknown-option", "variants.new.options"),
        ("unknown-profiler", "profilers.0.0"),
        ("misspelt-key", ""),
    ],
)
def test_a_name_that_there_is_not_is_marked_where_check_marks_it(world: Path, name: str, place: str):
    file = BROKEN / "experiments" / f"{name}.yaml"
    assert place in refused(world, file)
    said = file.with_suffix(".txt").read_text()
    assert (place.rpartition(".")[2] or "blokcs") in said


def test_a_new_target_is_known_once_it_is_there(world: Path):
    file = world / "experiments" / "mine.yaml"
    file.write_text(
        "name: mine\ntarget: new-one\nvariants: {a: {backend: tape}, b: {options: {speed: fast}}}\n"
        "workloads: {w: {fio: {rw: read, size: 1m}}}\n"
    )
    assert refused(world, file) == ["target", "variants.a.backend", "variants.b.options"]
    target = world / "targets/new-one/target.yaml"
    target.parent.mkdir()
    target.write_text(
        'name: new-one\nbuild: {installed: {binary: x}}\nmount: {argv: ["{binary}", "{mountpoint}"]}\n'
        "backends: {tape: {argv: [--tape]}}\noptions: {speed: {argv: [--speed]}}\n"
    )
    write(world)
    assert refused(world, file) == []


def test_an_unknown_service_of_a_target_is_marked(world: Path):
    file = world / "targets/demo/target.yaml"
    assert refused(world, file, "target") == []
    file.write_text(file.read_text().replace("service: etcd", "service: ectd"))
    assert refused(world, file, "target") == ["backends.etcd.service"]


@pytest.mark.parametrize("pattern", ["experiments/*.yaml", "targets/*/target.yaml", "services/*.yaml"])
def test_what_fuselab_ships_is_taken_and_names_the_schema_of_its_checkout(pattern: str):
    write(CHECKOUT)
    files = sorted(CHECKOUT.glob(pattern))
    assert files
    for file in files:
        kind = {"experiments": "experiment", "services": "service"}.get(file.parent.name, "target")
        named = re.match(r"# yaml-language-server: \$schema=(\S+)", file.read_text())
        assert named, file
        assert (file.parent / named[1]).resolve() == CHECKOUT / FOLDER / f"{kind}.schema.json"
        assert refused(CHECKOUT, file, kind) == [], file


def test_a_folder_that_cannot_be_written_is_left(world: Path):
    (world / FOLDER / "target.schema.json").unlink()
    shutil.rmtree(world / FOLDER.parent)
    (world / FOLDER.parent).write_text("in the way")
    write(world)
    assert (world / FOLDER.parent).read_text() == "in the way"


def test_a_pair_of_stores_is_marked_by_its_parts(world: Path):
    file = world / "experiments" / "mine.yaml"
    file.write_text(
        "name: mine\ntarget: paired\nbackend: {meta: etcd, data: memory}\n"
        "variants: {a: {}, b: {backend: etcd-disk}, c: {backend: {data: tape}}, d: {backend: etcd-tape}}\n"
        "workloads: {w: {fio: {rw: read, size: 1m}}}\n"
    )
    assert refused(world, file) == ["variants.c.backend.data", "variants.d.backend"]
