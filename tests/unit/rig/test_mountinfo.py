"""What is mounted where."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from fuselab.system import mountinfo

TEXT = r"""22 27 0:21 / /proc rw,relatime - proc proc rw
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
60 27 0:55 / /data/my\040state/mount rw,nosuid,relatime shared:7 master:1 - fuse.demofs demo\134fs rw,user_id=0
61 27 0:56 / /data/twice rw - tmpfs below rw
62 61 0:57 / /data/twice rw - fuse above rw
"""


@pytest.fixture
def mounts(monkeypatch, tmp_path):
    file = tmp_path / "mountinfo"
    file.write_text(TEXT)
    monkeypatch.setattr(mountinfo, "MOUNTINFO", file)


@pytest.mark.usefixtures("mounts")
def test_escapes_are_undone():
    found = mountinfo.mounted_at(Path("/data/my state/mount"))
    assert found is not None
    assert found.record.fstype == "fuse.demofs"
    assert found.record.source == "demo\\fs"
    assert found.record.options == "rw,nosuid,relatime,user_id=0"
    assert found.device == os.makedev(0, 55)


@pytest.mark.usefixtures("mounts")
def test_the_topmost_mount_counts():
    found = mountinfo.mounted_at(Path("/data/twice"))
    assert found is not None
    assert found.record.source == "above"
    assert mountinfo.mounted_at(Path("/data")) is None


@pytest.mark.usefixtures("mounts")
def test_mounts_below_a_folder():
    assert mountinfo.below(Path("/data")) == ["/data/my state/mount", "/data/twice", "/data/twice"]
    assert mountinfo.below(Path("/dat")) == []


@pytest.mark.usefixtures("mounts")
def test_the_mount_of_a_path_is_the_longest_above_it():
    assert mountinfo.mount_of(Path("/data/elsewhere")).record.source == "/dev/vda"
    assert mountinfo.mount_of(Path("/data/twice/x")).record.source == "above"


def test_devices_agree_with_stat(tmp_path):
    assert mountinfo.mount_of(tmp_path).device == tmp_path.stat().st_dev
