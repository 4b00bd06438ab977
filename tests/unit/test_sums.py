"""What was measured is what was recorded, or its file is named; coreutils' own sha256sum agrees."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from itertools import product
from pathlib import Path

import pytest

from fuselab.checksums import SUMS, fault, quick_fault, require_unchanged, write_sums
from fuselab.errors import ChangedError
from fuselab.records.places import is_summed

FOLDER = "results/e/blocks/seq/0123456789ab/001"


@pytest.fixture
def block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    folder = Path(FOLDER)
    (folder / "baseline").mkdir(parents=True)
    (folder / "block.json").write_text('{"block": 1}')
    (folder / "baseline/fio.json").write_text('{"bw_bytes": 1000}')
    (folder / "baseline/a \\ name\nof two lines").write_text("odd")
    write_sums(folder)
    (folder / ".snakemake_timestamp").touch()
    return folder


def test_sha256sum_says_the_same(block: Path) -> None:
    argv = ["sha256sum", "--check", "--strict", SUMS]
    assert subprocess.run(argv, cwd=block, check=False, capture_output=True).returncode == 0
    assert fault(block) is None
    assert quick_fault(block) is None
    require_unchanged([Path(FOLDER)])


def edited(path: Path) -> None:
    path.write_text(path.read_text().replace("1", "9"))


def zeroed(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 5)


def linked(path: Path) -> None:
    path.rename(path.with_name(f".{path.name}"))
    path.symlink_to(f".{path.name}")


@pytest.mark.parametrize(
    ("name", "change"),
    [
        *product(["baseline/fio.json", "block.json"], [edited, zeroed, cut, Path.unlink, linked]),
        *product([SUMS], [edited, zeroed, cut, Path.unlink]),
    ],
)
def test_every_change_of_every_file_is_named(block: Path, name: str, change: Callable[[Path], None]) -> None:
    victim = block / name
    change(victim)
    if victim.is_file() and name != SUMS:
        os.utime(victim, ns=(2**62, 2**62))
    found = fault(block) if name == SUMS else quick_fault(block)
    assert found is not None
    assert str(victim) in found or name == SUMS
    with pytest.raises(ChangedError, match="next call"):
        require_unchanged([Path(FOLDER)])


def test_a_change_that_keeps_its_date_is_found_when_it_is_read_and_by_every_call_after_that(
    block: Path,
) -> None:
    victim = block / "baseline/perf.data"
    victim.write_bytes(b"1" * (1 << 20))
    write_sums(block)
    before = victim.stat()
    edited(victim)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert quick_fault(block) is None
    with pytest.raises(ChangedError, match=r"baseline/perf\.data"):
        require_unchanged([Path(FOLDER)])
    assert "perf.data" in (quick_fault(block) or "")


def test_a_record_is_read_whatever_its_date(block: Path) -> None:
    victim = block / "block.json"
    before = victim.stat()
    edited(victim)
    os.utime(victim, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert "block.json" in (quick_fault(block) or "")


def test_a_copy_with_new_dates_is_as_good(block: Path) -> None:
    for path in block.rglob("*"):
        os.utime(path)
    assert quick_fault(block) is None


def test_a_file_that_came_later_is_not_read_as_one_that_was_measured(block: Path) -> None:
    (block / "baseline/jeprof.9.heap").touch()
    with pytest.raises(ChangedError, match=r"jeprof\.9\.heap was not there"):
        require_unchanged([Path(FOLDER)])
    assert quick_fault(block) is None, "what was measured is still good"


@pytest.mark.parametrize(
    ("path", "finished"),
    [
        (FOLDER, True),
        ("results/e/blocks/seq/0123456789ab", False),
        ("results/e/captures/v/seq/perf-oncpu/0123456789ab/001", True),
        ("results/e/captures/v/seq/perf-oncpu/0123456789ab", False),
        ("results/e/verify/v/0123456789ab", True),
        ("results/builds/demofs/worktree-plain-0123", True),
        ("results/e/processed/v/seq/perf-oncpu", False),
        ("results/e/metrics.csv", False),
    ],
)
def test_what_carries_sums_is_known_by_its_path(path: str, finished: bool) -> None:
    assert is_summed(Path(path)) == finished
