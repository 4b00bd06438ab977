"""A state folder is fresh, held while in use, and gone afterwards."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from fuselab.rig import state
from fuselab.rig.errors import RigError
from fuselab.rig.state import require_space, state_folder, sweep


def folders(root: Path) -> list[str]:
    return sorted(path.name for path in root.iterdir() if path.is_dir())


def test_it_is_there_and_then_it_is_not(tmp_path):
    with state_folder(tmp_path / "new") as place:
        assert place.path.parent == tmp_path / "new"
        assert list(place.data.iterdir()) == []
        assert place.mountpoint(1) != place.mountpoint(2)
        (place.data / "chunk").write_text("x")
    assert folders(tmp_path / "new") == []


def test_it_is_gone_after_an_error_too(tmp_path):
    with pytest.raises(ZeroDivisionError), state_folder(tmp_path):
        raise ZeroDivisionError
    assert folders(tmp_path) == []


def test_a_living_runs_folder_is_never_swept(tmp_path):
    with state_folder(tmp_path) as first, state_folder(tmp_path) as second:
        assert sweep(tmp_path) == []
        assert len({first.path, second.path}) == 2
        assert folders(tmp_path) == sorted([first.path.name, second.path.name])


def test_a_killed_runs_folder_is_swept(tmp_path):
    hold = (
        "import os, signal, sys, pathlib\n"
        "from fuselab.rig.state import state_folder\n"
        "with state_folder(pathlib.Path(sys.argv[1])) as place:\n"
        "    (place.data / 'left').write_text('x')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", hold, str(tmp_path)], check=False)
    (left,) = folders(tmp_path)
    assert sweep(tmp_path) == [left]
    assert folders(tmp_path) == []


def test_folders_that_are_not_ours_stay(tmp_path):
    (tmp_path / "precious").mkdir()
    sweep(tmp_path)
    assert folders(tmp_path) == ["precious"]


def test_a_nearly_full_disk_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(state, "free_bytes", lambda folder: 10 << 20)
    with pytest.raises(RigError, match="is full: 10 MiB free, and a run needs 256"):
        require_space(tmp_path)
    with pytest.raises(RigError, match="is full"), state_folder(tmp_path):
        pass
    assert folders(tmp_path) == []


def test_a_place_that_cannot_be_written_names_the_mend(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(RigError, match=r"cannot be used.*`state:`"), state_folder(tmp_path / "file"):
        pass


def test_no_descriptor_is_left(tmp_path):
    before = sorted(os.listdir("/proc/self/fd"))
    with state_folder(tmp_path):
        pass
    assert sorted(os.listdir("/proc/self/fd")) == before
