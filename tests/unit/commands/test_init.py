"""`fuselab init`: a folder outside of any checkout becomes a project, whole or not at all."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from fuselab.cli import main
from fuselab.project import CHECKOUT, find, names, project_around

TARGET = """\
name: {name}
build:
  installed: {{binary: cat}}
mount:
  argv: ["{{binary}}", "{{mountpoint}}"]
"""
EXPERIMENT = """\
name: mine
target: {target}
control: true
variants: {{old: {{}}}}
workloads: {{w: {{fio: {{rw: write, bs: 4k, size: 1m, runtime: 3s}}}}}}
"""


def fuselab(*words: str) -> Result:
    return CliRunner().invoke(main, list(words))


def everything(folder: Path) -> dict[Path, bytes]:
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def mine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The repository of a filesystem, with a project in it."""
    (tmp_path / ".gitignore").write_text("*.o")
    monkeypatch.chdir(tmp_path)
    done = fuselab("init")
    assert done.exit_code == 0, done.output
    return tmp_path


def add_target(project: Path, name: str) -> None:
    (project / "targets" / name).mkdir()
    (project / "targets" / name / "target.yaml").write_text(TARGET.format(name=name))


def test_it_writes_what_a_project_is_and_no_path_of_this_machine(mine: Path):
    files = {path.relative_to(mine).as_posix() for path in everything(mine)}
    schemas = {f".fuselab/schema/{name}.schema.json" for name in ("experiment", "target", "service")}
    assert files == {"Snakefile", ".gitignore", "profiles/default/config.yaml", *schemas}
    assert {path.name for path in mine.iterdir() if path.is_dir()} == {
        "experiments",
        "targets",
        "profiles",
        ".fuselab",
    }
    assert not any(str(CHECKOUT).encode() in content for content in everything(mine).values())
    assert (mine / ".gitignore").read_text().splitlines() == [
        "*.o",
        "/results/",
        "/.snakemake/",
        "/bundles/",
        "/.fuselab/",
    ]


def test_a_project_lies_around_its_folders_and_not_around_others(mine: Path, tmp_path: Path):
    inner = mine / "src" / "deep"
    inner.mkdir(parents=True)
    assert project_around(inner) == mine
    assert project_around(mine.parent) is None
    assert project_around(CHECKOUT / "docs") == CHECKOUT


def test_the_own_definitions_come_first_and_the_shipped_ones_behind_them(mine: Path):
    add_target(mine, "demofs")
    add_target(mine, "myfs")
    assert find(mine, "targets/demofs/target.yaml") == mine / "targets/demofs/target.yaml"
    assert find(mine, "targets/bindfs/target.yaml") == CHECKOUT / "targets/bindfs/target.yaml"
    assert find(mine, "services/etcd.yaml") == CHECKOUT / "services/etcd.yaml"
    known = [path.parent.name for path in names(mine, "targets/*/target.yaml")]
    assert known == sorted({*known})
    assert {"demofs", "myfs", "bindfs"} <= {*known}


def test_a_checkout_has_its_own_definitions_alone(tmp_path: Path):
    (tmp_path / "Snakefile").touch()
    (tmp_path / "targets").mkdir()
    assert project_around(tmp_path) == tmp_path
    assert list(names(tmp_path, "targets/*/target.yaml")) == []


def test_check_and_plan_find_a_name_from_a_folder_below(mine: Path, monkeypatch: pytest.MonkeyPatch):
    (mine / "experiments" / "mine.yaml").write_text(EXPERIMENT.format(target="directory"))
    (mine / "src").mkdir()
    monkeypatch.chdir(mine / "src")
    for name in ("mine", "quickstart", str(mine / "experiments" / "mine.yaml")):
        assert fuselab("check", name).exit_code == 0
        assert fuselab("plan", name).exit_code == 0
    assert fuselab("check").output == f"{'ok'}  {mine / 'experiments' / 'mine.yaml'}\n"
    assert "quickstart has no results yet" in fuselab("query", "quickstart").output


def test_an_error_names_the_file_that_is_wrong(mine: Path):
    (mine / "experiments" / "mine.yaml").write_text(EXPERIMENT.format(target="demofss"))
    said = fuselab("check", "mine").output
    assert "experiments/mine.yaml:2" in said
    assert "did you mean 'demofs'" in said
    add_target(mine, "demofs")
    (mine / "targets" / "demofs" / "target.yaml").write_text("name: demofs\nbiuld: {}\n")
    (mine / "experiments" / "mine.yaml").write_text(EXPERIMENT.format(target="demofs"))
    said = fuselab("check", "mine").output
    assert "targets/demofs/target.yaml:2" in said
    assert str(CHECKOUT) not in said


def test_new_finds_a_shipped_target_and_an_editor_the_schema(mine: Path):
    done = fuselab("new", "first", "--target", "bindfs")
    assert done.exit_code == 0, done.output
    written = mine / "experiments" / "first.yaml"
    schema = written.read_text().splitlines()[0].partition("$schema=")[2]
    assert (written.parent / schema).resolve().is_file()
    assert fuselab("check", "first").exit_code == 0


def test_snakemake_makes_own_and_shipped_experiments_there(mine: Path):
    (mine / "experiments" / "mine.yaml").write_text(EXPERIMENT.format(target="directory"))
    argv = [str(CHECKOUT / ".venv/bin/snakemake"), "--cores", "1", "-n"]
    for words in ((), ("results/quickstart/report.html",)):
        done = subprocess.run([*argv, *words], cwd=mine, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "time_block" in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("path", "content", "said"),
    [
        ("Snakefile", "rule all:\n", "`fuselab init` has not written it: choose a folder of its own"),
        ("profiles/default/config.yaml", "cores: 4\n", "says something else: choose a folder of its own"),
        ("targets", "a file\n", "is no folder: choose a folder of its own"),
        ("Snakefile", "# Written by `fuselab init` (form 0): ...\n", "of another version (form 0, this one"),
    ],
)
def test_what_is_in_the_way_stays_and_nothing_is_written(tmp_path: Path, path: str, content: str, said: str):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text(content)
    before = everything(tmp_path)
    done = fuselab("init", str(tmp_path))
    assert done.exit_code == 1
    assert str(tmp_path / path) in done.output
    assert said in done.output
    assert everything(tmp_path) == before
    assert fuselab("init", str(tmp_path / "fuselab")).exit_code == 0


def test_a_second_call_says_so_and_an_interrupted_one_is_finished(mine: Path):
    before = everything(mine)
    done = fuselab("init")
    assert done.exit_code == 1
    assert "is there already" in done.output
    assert everything(mine) == before
    (mine / "Snakefile").unlink()
    assert fuselab("init").exit_code == 0
    assert everything(mine) == before


def test_a_path_that_snakemake_cannot_take_is_refused(tmp_path: Path):
    done = fuselab("init", str(tmp_path / "my files"))
    assert done.exit_code == 1
    assert "a space" in done.output
    assert not (tmp_path / "my files").exists()


def test_verbs_refuse_the_snakefile_of_another_version(mine: Path):
    text = (mine / "Snakefile").read_text()
    (mine / "Snakefile").write_text(text.replace("(form 1)", "(form 7)"))
    done = fuselab("check")
    assert done.exit_code == 1
    assert f"{mine}/Snakefile was written by `fuselab init` of another version" in done.output
