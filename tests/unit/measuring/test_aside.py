"""What does not count is set aside, and nothing else is touched."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from fuselab.checksums import write_sums
from fuselab.measuring.aside import REASON, Group, doubtful, mixed, set_aside
from fuselab.records.block import BlockRecord

SPEC = Path("results/e/blocks/seq/0123456789ab")


@pytest.fixture(autouse=True)
def somewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def block(number: int, code: str = "new") -> Path:
    folder = SPEC / f"{number:03d}"
    folder.mkdir(parents=True)
    (folder / "block.json").write_bytes(
        msgspec.json.encode(BlockRecord(number, "w", "timed", (), 1, {}, 1, (), False, code))
    )
    write_sums(folder)
    return folder


def test_a_changed_block_lies_in_the_attempts_with_the_reason_and_the_others_stay() -> None:
    whole, changed, begun = block(1), block(2), SPEC / "003"
    (changed / "block.json").write_text("{}")
    begun.mkdir()
    [found] = doubtful([whole, changed, begun, SPEC / "004"])
    place = set_aside(found, Path("results/e/attempts"))
    assert place == Path("results/e/attempts/blocks.seq.0123456789ab.002/1")
    assert (place / "block.json").read_text() == "{}"
    assert "block.json" in (place / REASON).read_text()
    assert not changed.exists()
    assert whole.is_dir()


def group(*folders: Path, asked: int) -> Group:
    names = tuple(map(str, folders))
    return Group(names, names[:asked], "new")


def test_blocks_of_other_code_stay_as_long_as_nothing_is_measured_beside_them() -> None:
    blocks = [block(number, "old") for number in (1, 2)]
    assert list(mixed([group(*blocks, SPEC / "003", asked=2)], ())) == []


def test_blocks_of_other_code_are_measured_again_with_those_that_are_missing() -> None:
    old, new = block(1, "old"), block(2, "new")
    assert [aside.folder for aside in mixed([group(old, new, SPEC / "003", asked=3)], ())] == [old]


def test_blocks_of_two_codes_are_never_left_side_by_side() -> None:
    old, new = block(1, "old"), block(2, "new")
    assert [aside.folder for aside in mixed([group(old, new, asked=2)], ())] == [old]


def test_a_block_that_is_set_aside_is_one_that_is_missing() -> None:
    blocks = [block(number, "old") for number in (1, 2)]
    assert [a.folder for a in mixed([group(*blocks, asked=2)], {blocks[0]})] == [blocks[1]]
