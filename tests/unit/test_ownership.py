"""Under sudo, what root has written becomes the caller's, and nothing else does."""

import os
from pathlib import Path

import pytest

from fuselab.ownership import give_back

CALLER = {"SUDO_UID": "54321", "SUDO_GID": "54322"}

pytestmark = pytest.mark.skipif(
    os.geteuid() != 0, reason="only root can own files of root and give them away"
)


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder of the caller's, as a checkout is, with files that root has written into it."""
    top = tmp_path / "checkout"
    (top / "results" / "deep").mkdir(parents=True)
    (top / "results" / "deep" / "run.json").write_text("{}")
    os.chown(top, 54321, 54322)
    return top


def owner(path: Path) -> tuple[int, int]:
    return path.lstat().st_uid, path.lstat().st_gid


def test_files_and_folders_of_root_become_the_callers(tree: Path) -> None:
    assert give_back([tree], CALLER) == 3
    for path in [tree / "results", tree / "results/deep", tree / "results/deep/run.json"]:
        assert owner(path) == (54321, 54322)


def test_files_of_other_users_stay_theirs(tree: Path) -> None:
    foreign = tree / "foreign"
    foreign.write_text("")
    os.chown(foreign, 999, 999)
    give_back([tree], CALLER)
    assert owner(foreign) == (999, 999)


def test_links_do_not_lead_out_of_the_tree(tree: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_text("")
    (tree / "folder").symlink_to(outside)
    (tree / "file").symlink_to(outside / "secret")
    give_back([tree], CALLER)
    assert owner(outside) == owner(outside / "secret") == (0, 0)
    assert owner(tree / "folder") == owner(tree / "file") == (54321, 54322)


def test_a_file_with_another_name_outside_the_tree_stays_roots(tree: Path, tmp_path: Path) -> None:
    """cargo links the program that it makes to a second name: both are inside, and both are the caller's."""
    outside = tmp_path / "outside"
    outside.write_text("")
    (tree / "linked").hardlink_to(outside)
    (tree / "program").write_text("")
    (tree / "results" / "program").hardlink_to(tree / "program")
    give_back([tree], CALLER)
    assert owner(outside) == owner(tree / "linked") == (0, 0)
    assert owner(tree / "program") == owner(tree / "results" / "program") == (54321, 54322)


@pytest.mark.parametrize("environ", [{}, {"SUDO_UID": "0", "SUDO_GID": "0"}])
def test_nothing_changes_without_a_caller_behind_sudo(tree: Path, environ: dict[str, str]) -> None:
    assert give_back([tree], environ) == 0
    assert owner(tree / "results") == (0, 0)


def test_a_checkout_of_roots_own_stays_roots(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.mkdir()
    (own / "file").write_text("")
    assert give_back([own], CALLER) == 0
    assert owner(own / "file") == (0, 0)


def test_a_path_that_is_not_there_is_skipped(tree: Path) -> None:
    assert give_back([tree / "nowhere", tree], CALLER) == 3
