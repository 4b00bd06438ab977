"""A state folder is fresh, held while in use, and gone afterwards."""

from __future__ import annotations

import os
import pwd
import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.errors import RigError
from fuselab.rig import state
from fuselab.rig.state import MARK, dead, require_space, state_folder, sweep
from fuselab.system import mountinfo, state_root

CHECKOUT = Path("/nowhere")


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def test_it_is_there_and_then_it_is_not(tmp_path):
    with state_folder(tmp_path / "new", CHECKOUT) as place:
        assert place.path.parent == tmp_path / "new"
        assert list(place.data.iterdir()) == []
        assert place.mountpoint(1) != place.mountpoint(2)
        (place.data / "chunk").write_text("x")
    assert folders(tmp_path / "new") == []


def test_it_is_gone_after_an_error_too(tmp_path):
    with pytest.raises(ZeroDivisionError), state_folder(tmp_path, CHECKOUT):
        raise ZeroDivisionError
    assert folders(tmp_path) == []


def test_a_living_runs_folder_is_never_swept(tmp_path):
    with state_folder(tmp_path, CHECKOUT) as first, state_folder(tmp_path, CHECKOUT) as second:
        assert sweep(tmp_path) == []
        assert len({first.path, second.path}) == 2
        assert folders(tmp_path) == sorted([first.path.name, second.path.name])


def test_a_killed_runs_folder_is_swept(tmp_path):
    left = killed(tmp_path)
    assert dead(tmp_path) == [left.name]
    assert sweep(tmp_path) == [left.name]
    assert folders(tmp_path) == []


def killed(root: Path) -> Path:
    """What a run leaves below `root` that is killed with a file in its state."""
    hold = (
        "import os, signal, sys, pathlib\n"
        "from fuselab.rig.state import state_folder\n"
        "with state_folder(pathlib.Path(sys.argv[1]), pathlib.Path('/nowhere')) as place:\n"
        "    (place.data / 'left').write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    before = set(folders(root)) if root.exists() else set()
    subprocess.run([sys.executable, "-c", hold, str(root)], check=False)
    (left,) = set(folders(root)) - before
    return root / left


def stranger(folder: Path, mark: str, text: str) -> Path:
    folder.mkdir(parents=True)
    (folder / mark).write_text(text)
    (folder / "data").write_text("precious")
    return folder


@pytest.mark.parametrize("mark", ["lock", MARK])
@pytest.mark.parametrize("name", ["my-database", ".hg", "0a1b2c3d", "fuselab-0a1b2c3d"])
def test_folders_of_others_stay_whatever_they_and_their_files_are_called(tmp_path, name, mark):
    theirs = stranger(tmp_path / name, mark, "")
    with state_folder(tmp_path, CHECKOUT):
        pass
    assert sweep(tmp_path) == dead(tmp_path) == []
    assert (theirs / "data").read_text() == "precious"


def test_a_copy_of_a_marked_folder_is_no_longer_ours(tmp_path):
    left = killed(tmp_path / "state")
    copy = tmp_path / "backup" / left.name
    shutil.copytree(left, copy)
    assert sweep(tmp_path / "backup") == []
    assert (copy / "data" / "left").read_text() == "x"
    assert sweep(tmp_path / "state") == [left.name]


def test_a_link_in_the_place_of_a_marked_folder_leads_nowhere(tmp_path):
    left = killed(tmp_path / "elsewhere")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / left.name).symlink_to(left)
    assert sweep(tmp_path / "state") == []
    assert (left / "data" / "left").read_text() == "x"


def test_links_inside_a_swept_folder_are_not_followed(tmp_path):
    precious = stranger(tmp_path / "home", "file", "precious")
    left = killed(tmp_path / "state")
    (left / "data" / "out").symlink_to(precious)
    (left / "out").symlink_to(precious)
    os.mkfifo(left / "fifo")
    assert sweep(tmp_path / "state") == [left.name]
    assert not left.exists()
    assert sorted(path.name for path in precious.iterdir()) == ["data", "file"]


def test_a_lock_that_is_a_link_is_neither_followed_nor_emptied(tmp_path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    (tmp_path / "state").mkdir()
    (tmp_path / "state" / ".lock").symlink_to(victim)
    with pytest.raises(RigError, match="cannot be used"), state_folder(tmp_path / "state", CHECKOUT):
        pass
    assert victim.read_text() == "precious"


def test_a_lock_of_somebody_elses_keeps_its_content(tmp_path):
    (tmp_path / ".lock").write_text("precious")
    with state_folder(tmp_path, CHECKOUT):
        pass
    assert (tmp_path / ".lock").read_text() == "precious"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give folders away")
@pytest.mark.parametrize(("owner", "mode", "said"), [(54321, 0o755, "another user"), (0, 0o777, "everybody")])
def test_a_folder_that_others_can_change_under_us_is_refused(tmp_path, owner, mode, said):
    root = tmp_path / "state"
    root.mkdir()
    os.chown(root, owner, owner)
    root.chmod(mode)
    with pytest.raises(RigError, match=said), state_folder(root, CHECKOUT):
        pass
    assert list(root.iterdir()) == []


@pytest.mark.parametrize(
    "folder",
    ["/", "/etc", "/etc/x", "/usr/share/x", "/var", "/var/lib", "/home", "/tmp", "/dev", "/proc/sys"],
)
def test_folders_of_the_system_are_refused_by_the_rig_itself(folder):
    with pytest.raises(RigError, match="refused"), state_folder(Path(folder), CHECKOUT):
        pass


def test_homes_checkouts_and_roots_of_mounts_are_refused_and_what_is_below_them_is_not(tmp_path):
    home = Path(pwd.getpwuid(os.geteuid()).pw_dir).resolve()
    mount = Path("/dev/shm")
    for folder, said in [(home, "home"), (tmp_path, "this checkout"), (tmp_path.parent, "this checkout")]:
        assert said in (state_root.refusal(folder, tmp_path) or "")
        assert state_root.refusal(folder / "fuselab-state", tmp_path) is None
    assert state_root.refusal(tmp_path / "results" / "state", tmp_path) is None
    assert "another program" in (state_root.refusal(tmp_path / ".git" / "x", tmp_path) or "")
    mounts = [m.mountpoint for m in mountinfo.parse(mountinfo.MOUNTINFO.read_text())]
    assert all(state_root.refusal(Path(m), tmp_path) for m in [*mounts, str(mount)] if Path(m).is_dir())
    assert state_root.refusal(mount / "x", tmp_path) is None


def test_a_nearly_full_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "free_bytes", lambda folder: 10 << 20)
    with pytest.raises(RigError, match="is full: 10 MiB free, and a run needs 256"):
        require_space(tmp_path)
    with pytest.raises(RigError, match="is full"), state_folder(tmp_path, CHECKOUT):
        pass
    assert folders(tmp_path) == []


def test_a_place_that_cannot_be_written_names_the_mend(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(RigError, match=r"cannot be used.*`state:`"),
        state_folder(tmp_path / "file", CHECKOUT),
    ):
        pass


def test_no_descriptor_is_left(tmp_path):
    before = sorted(os.listdir("/proc/self/fd"))
    with state_folder(tmp_path, CHECKOUT):
        pass
    assert sorted(os.listdir("/proc/self/fd")) == before


@pytest.mark.mount
def test_the_disk_of_another_machine_is_refused(tmp_path: Path):
    behind, at = tmp_path / "behind", tmp_path / "at"
    behind.mkdir()
    at.mkdir()
    subprocess.run(["bindfs", "-o", "subtype=sshfs", behind, at], check=True)
    try:
        with pytest.raises(RigError, match=r"network filesystem \(fuse.sshfs\).*as /var/tmp/"):
            state_folder(at / "state", CHECKOUT).__enter__()
    finally:
        subprocess.run(["umount", at], check=True)


@pytest.mark.parametrize(
    ("kind", "refused"), [("nfs4", True), ("lustre", True), ("fuse.sshfs", True), ("ext4", False)]
)
def test_a_network_filesystem_is_refused_by_the_name_that_the_kernel_gives_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str, refused: bool
):
    here = mountinfo.mount_of(tmp_path)
    monkeypatch.setattr(
        mountinfo, "mount_of", lambda folder: replace(here, record=replace(here.record, fstype=kind))
    )
    folder = tmp_path / "fuselab-state"
    if not refused:
        with state_root.opened(folder, tmp_path / "checkout"):
            return
    with pytest.raises(
        RigError, match=re.escape(f"is on a network filesystem ({kind}): 'state' is a folder")
    ):
        state_root.opened(folder, tmp_path / "checkout").__enter__()
