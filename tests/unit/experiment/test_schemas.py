"""The schema, the model, the reference pages and the shipped files say the same."""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from fuselab import workloads
from fuselab.experiment.model import Compare, Experiment, Variant, Workload
from fuselab.schema import schemas, units
from fuselab.schema.reference import pages
from fuselab.targets.model import (
    Backend,
    CargoBuild,
    Fits,
    MountTemplate,
    Option,
    ProfilerSupport,
    Service,
    Stopping,
)


def every_key(name: str) -> dict[str, Mapping[str, Any]]:
    """(dotted place, resolved schema) of every key of a file."""
    found: dict[str, Mapping[str, Any]] = {}

    def walk(part: Mapping[str, Any], file: str, at: str, depth: int) -> None:
        for key, inner, inner_file in schemas.properties(part, file):
            place = f"{at}.{key}" if at else key
            if depth < 7:
                found[place] = inner
                walk(inner, inner_file, place, depth + 1)
                if isinstance(inner.get("items"), dict):
                    walk(*schemas.resolve(inner["items"], inner_file), f"{place}[]", depth + 1)

    walk(schemas.schema(name), name, "", 0)
    return found


@pytest.mark.parametrize(
    "path",
    sorted([*schemas.FOLDER.glob("*.json"), *schemas.FOLDER.parent.glob("workloads/*/*.json")]),
    ids=lambda path: path.name,
)
def test_each_schema_is_a_schema(path: Path):
    Draft202012Validator.check_schema(schemas.schema(str(path).removesuffix(".schema.json")))


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_key_has_a_description_and_an_example(name):
    keys = {place: part for place, part in every_key(name).items() if not place.endswith("<name>")}
    assert len(keys) > 5
    assert [place for place, part in keys.items() if not part.get("description")] == []
    assert [place for place, part in keys.items() if not part.get("examples")] == []


@pytest.mark.parametrize("name", schemas.NAMES)
def test_every_example_and_default_is_valid(name):
    checker = schemas.validator(name)
    for place, part in every_key(name).items():
        for example in [*part.get("examples", ()), *([part["default"]] if "default" in part else [])]:
            rule = {
                key: value
                for key, value in part.items()
                if key in ("type", "pattern", "enum", "minimum", "maximum")
            }
            assert list(checker.evolve(schema=rule).iter_errors(example)) == [], place


@pytest.mark.parametrize("name", schemas.NAMES)
def test_the_reference_page_is_the_schema_s(checkout: Path, name):
    written = (checkout / "docs" / "reference" / f"{name}.md").read_text()
    assert written == pages()[f"{name}.md"], "run: fuselab schema --docs docs/reference"
    missing = [
        place
        for place in every_key(name)
        if "<name>" not in place
        and f"`{place}`" not in written
        and f".{place.rsplit('.')[-1]}`" not in written
    ]
    assert missing == []


@pytest.mark.parametrize("name", schemas.NAMES)
def test_a_bundled_schema_stands_alone(name):
    whole = schemas.bundled(name)
    Draft202012Validator.check_schema(whole)
    refs = [node["$ref"] for node in nodes(whole) if "$ref" in node]
    assert refs
    for ref in refs:
        found = whole
        for step in ref.removeprefix("#/").split("/"):
            found = found[step]


def nodes(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def defaults(model: Any) -> dict[str, Any]:
    return {f.name: f.default for f in fields(model) if f.default is not MISSING}


def plain(value: Any) -> Any:
    """A default of the schema as the model holds it."""
    if isinstance(value, list):
        return tuple(map(plain, value))
    return tuple(value.items()) if isinstance(value, dict) else value


MODELS = [
    (
        "experiment",
        "",
        Experiment,
        {"path", "variants", "contrasts", "compare", "workloads", "night", "budget_s"},
    ),
    ("experiment", "variants.<name>", Variant, {"name", "profile", "follows"}),
    ("experiment", "compare", Compare, set()),
    (
        "experiment",
        "workloads.<name>",
        Workload,
        {"name", "kind", "settings", "timeout_s", "point", "slice_s"},
    ),
    ("target", "build.cargo", CargoBuild, {"kind"}),
    ("target", "stop", Stopping, {"timeout_s"}),
    ("target", "backends.<name>", Backend, {"name"}),
    ("target", "fits", Fits, set()),
    ("target", "meta.<name>", Backend, {"name"}),
    ("target", "data.<name>", Backend, {"name"}),
    ("target", "options.<name>", Option, {"name"}),
    ("target", "profilers.<name>", ProfilerSupport, {"name"}),
]


@pytest.mark.parametrize(
    ("name", "at", "model", "elsewhere"), MODELS, ids=lambda value: getattr(value, "__name__", None)
)
def test_the_model_has_what_the_schema_has_and_the_same_defaults(name, at, model, elsewhere):
    keys = every_key(name)
    keys = {
        k.removeprefix(f"{at}.") if at else k: part
        for k, part in keys.items()
        if (k.startswith(f"{at}.") if at else True)
    }
    keys = {k: part for k, part in keys.items() if "." not in k and "[" not in k}
    for field, default in defaults(model).items():
        if field in elsewhere:
            continue
        assert field in keys, f"{model.__name__}.{field} is no key"
        said = keys[field].get("default")
        if field == "threshold":
            said = units.fraction(str(said))
        if said is not None:
            assert plain(said) == default, field


def test_times_have_the_same_defaults():
    keys = every_key("target") | {f"service.{k}": v for k, v in every_key("service").items()}
    load = every_key("experiment")["workloads.<name>.timeout"]["default"]
    assert units.seconds(keys["mount.ready.timeout"]["default"]) == MountTemplate(()).ready_timeout_s
    assert units.seconds(keys["stop.timeout"]["default"]) == Stopping().timeout_s
    service = Service("s", (), 1)
    assert units.seconds(keys["service.ready.timeout"]["default"]) == service.ready_timeout_s
    assert units.seconds(keys["service.stop.timeout"]["default"]) == service.stop_timeout_s
    assert keys["service.stop.signal"]["default"] == service.stop_signal
    assert units.seconds(load) == Workload("w", "fio", {}).timeout_s


def test_every_kind_of_load_can_be_written_and_run():
    assert set(workloads.REGISTRY) <= set(schemas.schema("workload")["properties"])


@pytest.mark.parametrize("pattern", ["experiments/*.yaml", "targets/*/target.yaml", "services/*.yaml"])
def test_every_shipped_file_names_its_schema_for_editors(checkout: Path, pattern):
    for path in checkout.glob(pattern):
        first = path.read_text().splitlines()[0]
        assert first.startswith("# yaml-language-server: $schema="), path
        assert (path.parent / first.partition("=")[2]).resolve().is_file(), path
