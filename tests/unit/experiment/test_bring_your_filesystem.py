"""Every target on docs/bring-your-filesystem.md is read as it stands, and is as short as the page promises."""

import re
from pathlib import Path

import pytest

from fuselab.experiment.loading import load_experiment
from fuselab.experiment.planning import make_plan
from fuselab.targets.loading import load_target
from fuselab.targets.model import CargoBuild, Installed

PAGE = Path(__file__).resolve().parents[3] / "docs" / "bring-your-filesystem.md"


@pytest.mark.parametrize(("name", "lines", "kind"), [("installed", 15, Installed), ("cargo", 40, CargoBuild)])
def test_an_example_of_the_page_is_a_target(repository: Path, name: str, lines: int, kind: type):
    text = example(name)
    assert len(text.splitlines()) < lines
    path = repository / "targets" / "myfs" / "target.yaml"
    path.parent.mkdir()
    path.write_text(text)
    assert isinstance(load_target("myfs", repository).build, kind)


def example(name: str) -> str:
    found = re.search(rf"<!-- example: {name} -->\n```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)
    assert found
    return found[1]


def test_the_read_only_target_is_one(repository: Path):
    path = repository / "targets" / "myfs" / "target.yaml"
    path.parent.mkdir()
    path.write_text("name: myfs\nbuild: {installed: {binary: squashfuse}}\n" + example("read-only"))
    assert load_target("myfs", repository).mount.read_only


def test_the_counters_of_the_page_are_read_as_they_stand(repository: Path):
    path = repository / "targets" / "myfs" / "target.yaml"
    path.parent.mkdir()
    path.write_text(example("installed") + example("counters"))
    assert [source.format for source in load_target("myfs", repository).counters] == [
        "lines",
        "json",
        "prometheus",
    ]


def test_the_drain_of_the_page_is_read_as_it_stands(repository: Path):
    path = repository / "targets" / "myfs" / "target.yaml"
    path.parent.mkdir()
    path.write_text("name: myfs\nbuild: {installed: {binary: squashfuse}}\n" + example("drain"))
    target = load_target("myfs", repository)
    assert target.drain is not None
    assert target.drain.words == "counter uploads_pending at 0, within 120 s"
    assert target.drain.sources == target.counters
    assert target.mount.cache == ("{state}/cache",)


def test_the_stores_of_the_page_are_in_one_run_in_the_order_that_is_said(repository: Path):
    for port, name in enumerate(("redis", "minio"), 7000):
        (repository / "services" / f"{name}.yaml").write_text(
            f"name: {name}\nport: {port}\nargv: [{name}, '{{state}}', '{{port}}']\n"
        )
    path = repository / "targets" / "myfs" / "target.yaml"
    path.parent.mkdir()
    words = "mount: {argv: [squashfuse, '{mountpoint}', '{backend}']}\n"
    path.write_text("name: myfs\nbuild: {installed: {binary: squashfuse}}\n" + words + example("stores"))
    experiment = repository / "experiments" / "stores.yaml"
    experiment.write_text(
        "name: stores\ntarget: myfs\nvariants: {a: {backend: {meta: redis, data: minio}}, b: {}}\n"
        "workloads: {w: {command: {argv: ['true']}}}\n"
    )
    mount = make_plan(load_experiment(experiment, repository)).mounts["a", "none"]
    assert [(role, service.name) for role, service in mount.services] == [
        ("meta", "redis"),
        ("data", "minio"),
    ]
    assert "127.0.0.1:{data.port}" in mount.argv, "the rig knows the ports"


def test_the_loads_on_two_mounts_are_read_as_they_stand(repository: Path):
    path = repository / "experiments" / "shared.yaml"
    path.write_text("name: shared\ntarget: demo\nvariants: {a: {}, b: {env: {A: b}}}\n" + example("shared"))
    assert load_experiment(path, repository).experiment.mounts == 2


def test_the_loads_of_metadata_are_read_as_they_stand(repository: Path):
    path = repository / "experiments" / "names.yaml"
    path.write_text("name: names\ntarget: demo\nvariants: {a: {}, b: {env: {A: b}}}\n" + example("names"))
    assert "metadata.unlink.rate" in load_experiment(path, repository).experiment.compare.primary


def test_the_figures_of_a_command_are_read_as_they_stand(repository: Path):
    path = repository / "experiments" / "figures.yaml"
    path.write_text("name: figures\ntarget: demo\nvariants: {a: {}, b: {env: {A: b}}}\n" + example("figures"))
    compare = load_experiment(path, repository).experiment.compare
    assert compare.primary == ("command.requests", "command.p99", "command.memory")


def test_the_page_s_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#:]+)\)", PAGE.read_text()):
        assert (PAGE.parent / link).is_file(), link
