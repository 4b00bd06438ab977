"""After a kill: locks that nobody holds are gone, and what was measured whole is kept."""

from __future__ import annotations

import fcntl
from base64 import urlsafe_b64encode
from pathlib import Path

from fuselab.takeover import take_over

BLOCK = f"results/e/blocks/{'long-name' * 20}/0123456789ab/001"


def test_locks_of_the_dead_are_released_and_those_of_the_living_are_not(tmp_path: Path) -> None:
    locks = tmp_path / ".snakemake/locks"
    locks.mkdir(parents=True)
    (locks / "0.output.lock").touch()
    with (tmp_path / ".snakemake/fuselab.flock").open("a") as living:
        fcntl.flock(living, fcntl.LOCK_SH)
        take_over(tmp_path).close()
        assert list(locks.iterdir())
    take_over(tmp_path).close()
    assert not list(locks.iterdir())


def marked(root: Path, output: str) -> Path:
    """The mark of Snakemake 9.27 for an output that is being made: base64, at most 254 characters a folder."""
    name = urlsafe_b64encode(output.encode()).decode()
    parts = [name[i : i + 254] for i in range(0, len(name), 254)]
    mark = root.joinpath(".snakemake/incomplete", *(f"@{part}" for part in parts[:-1]), parts[-1])
    mark.parent.mkdir(parents=True, exist_ok=True)
    mark.touch()
    return mark


def test_a_block_that_is_in_its_place_is_not_made_again(tmp_path: Path) -> None:
    whole, half = marked(tmp_path, BLOCK), marked(tmp_path, "results/e/blocks/w/0123456789ab/002")
    (tmp_path / BLOCK).mkdir(parents=True)
    (tmp_path / BLOCK / "block.json").touch()
    (tmp_path / "results/e/blocks/w/0123456789ab/002/baseline").mkdir(parents=True)
    take_over(tmp_path).close()
    assert not whole.exists()
    assert half.exists()
