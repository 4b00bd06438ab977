"""What a target is told is enough to mount it, and what a load does is possible there."""

from collections.abc import Callable
from pathlib import Path

import pytest

from fuselab.schema.errors import ExperimentErrors
from fuselab.targets.loading import load_target


@pytest.fixture
def target(repository: Path) -> Callable[[str], str]:
    """Write the text as a target; what is wrong with it, or nothing."""

    def read(mount: str) -> str:
        path = repository / "targets" / "t" / "target.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"name: t\nbuild: {{installed: {{binary: bindfs}}}}\nmount: {mount}\n")
        try:
            load_target("t", repository)
        except ExperimentErrors as errors:
            return str(errors)
        return ""

    return read


@pytest.mark.parametrize(
    "mount",
    [
        '{argv: ["{binary}", "{mountpoint}/x"]}',
        '{argv: ["{binary}", "--at={mountpoint}"]}',
        '{argv: ["{binary}"], env: {AT: "{mountpoint}"}}',
        '{argv: ["{binary}", "{state}/c"], files: {c: "at = {mountpoint}"}}',
    ],
)
def test_a_mount_point_may_stand_anywhere_the_program_looks(target, mount):
    assert target(mount) == ""


def test_a_mount_point_in_prepare_does_not_tell_the_program(target):
    said = target('{argv: ["{binary}"], prepare: [[ls, "{mountpoint}"]]}')
    assert "is not told where to mount" in said


def test_a_variable_of_a_shell_is_no_mount_point(target):
    assert "is not told where to mount" in target('{argv: ["{binary}", "${mountpoint}"]}')


def test_a_command_line_for_a_list_of_commands_becomes_one(target):
    said = target('{prepare: "mkdir {state}/a", argv: ["{binary}", "{mountpoint}"]}')
    assert "prepare: [[mkdir, '{state}/a']]" in said


def test_a_program_with_a_space_in_its_path_is_one(target, tmp_path: Path):
    program = tmp_path / "my fs"
    program.touch()
    assert target(f'{{argv: ["{program}", "{{mountpoint}}"]}}') == ""


FROZEN = "target: frozen\nvariants: {a: {}, b: {env: {A: b}}, c: {target: floor}}\n"


def test_a_read_only_target_is_read_from_a_file_that_is_named(read):
    load = "workloads: {{w: {{fio: {{rw: randread, bs: 4k, size: 1m{}}}}}}}\n"
    read(FROZEN, load.format(", filename: data"))
    with pytest.raises(ExperimentErrors, match="add 'filename: NAME'"):
        read(FROZEN, load.format(""))


def test_the_file_may_be_named_by_every_variant(read):
    text = "target: frozen\nvariants: {a: {fio: {filename: x}}, b: {fio: {filename: y}}}\n"
    read(text, "workloads: {w: {fio: {rw: read, bs: 4k, size: 1m}}}\n")


@pytest.mark.parametrize("rw", ["write", "randrw", "trim", "trimwrite"])
def test_nothing_but_reading_fits_a_read_only_target(read, rw):
    load = f"workloads: {{w: {{fio: {{rw: {rw}, bs: 4k, size: 1m, filename: data}}}}}}\n"
    with pytest.raises(ExperimentErrors, match="'frozen' is read-only: 'rw' is read or randread"):
        read(FROZEN, load)


def test_the_state_may_be_a_folder_that_is_not_there_yet(read, tmp_path: Path):
    head = "target: demo\nvariants: {a: {}, b: {options: {cache: 1m}}}\n"
    read(f"{head}state: {tmp_path}/new/state\n")
