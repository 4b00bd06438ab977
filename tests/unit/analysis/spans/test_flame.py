"""Poll time as tracing-flame recorded it: the work that was planted, none of the waits."""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from fuselab.analysis.spans.flame import Flame, Location, parse_frame, read_flame, write_frames
from fuselab.errors import ProfileError

MS = 1_000_000


@pytest.fixture
def flame(golden: Path) -> Flame:
    return read_flame(golden / "flame" / "flame.folded")


def self_ns(flame: Flame) -> dict[str, int]:
    return {frame.name: frame.self_ns for frame in flame.frames}


def test_work_is_there_and_waits_are_not(flame: Flame) -> None:
    found = self_ns(flame)
    assert 4 * 2 * MS <= found["copy"] < 10 * MS
    assert found["sync"] >= 5 * MS  # a blocking sleep: the thread is inside
    assert found["extend_file_size"] < 1 * MS  # 16 ms of waiting
    assert found["stage; one"] < 1 * MS


def test_nothing_is_lost_or_counted_twice(flame: Flame, golden: Path) -> None:
    lines = (golden / "flame" / "flame.folded").read_text().splitlines()
    total = sum(int(line.rpartition(" ")[2]) for line in lines)
    assert flame.folded.total + flame.outside_ns == total
    assert sum(self_ns(flame).values()) == flame.folded.total


def test_threads_of_a_pool_fold_together_and_locations_stay_out(flame: Flame) -> None:
    assert {stack[0] for stack in flame.folded.stacks} == {"tokio-rt-worker"}
    assert (
        "tokio-rt-worker",
        "traced::fs::write",
        "traced::fs::store",
        "traced::fs::put",
    ) in flame.folded.stacks


def test_a_name_with_a_semicolon_stays_one_frame(flame: Flame) -> None:
    assert ("tokio-rt-worker", "traced::fs::write", "traced::fs::stage, one") in flame.folded.stacks


def test_frames_carry_the_place_that_chrome_writes(flame: Flame, golden: Path) -> None:
    records = json.loads((golden / "chrome" / "async.json").read_text())
    spans = {(r["name"], r[".file"], r[".line"]) for r in records if r["ph"] == "e"}
    assert {(frame.name, frame.file, frame.line) for frame in flame.frames} == spans


def test_edges_are_what_was_called_by_what(flame: Flame) -> None:
    found = {
        (edge.parent.path.rpartition("::")[2], edge.child.path.rpartition("::")[2]) for edge in flame.edges
    }
    assert {("write", "extend_file_size"), ("store", "put"), ("walk", "walk")} <= found
    assert ("store", "store") not in found


def test_a_cut_line_adds_nothing(flame: Flame, golden: Path, tmp_path: Path) -> None:
    whole = (golden / "flame" / "flame.folded").read_text()
    (tmp_path / "cut.folded").write_text(whole.rstrip("\n")[:-3])
    cut = read_flame(tmp_path / "cut.folded")
    assert cut.cut
    assert not flame.cut
    last = int(whole.splitlines()[-1].rpartition(" ")[2])
    assert cut.folded.total + cut.outside_ns == flame.folded.total + flame.outside_ns - last


def test_layers_without_places_are_read_too(tmp_path: Path) -> None:
    (tmp_path / "f.folded").write_text("all-threads 5\nall-threads; write 7\nall-threads; write; copy 9\n")
    found = read_flame(tmp_path / "f.folded")
    assert found.folded.stacks == {("all-threads", "write"): 7, ("all-threads", "write", "copy"): 9}
    assert not found.edges


@pytest.mark.parametrize(
    ("text", "reason"),
    [("", "0 bytes"), ("garbage\n", "no folded line"), ("ThreadId(1)-main 500\n", "no span in it")],
)
def test_a_recording_without_spans_says_why(text: str, reason: str, tmp_path: Path) -> None:
    (tmp_path / "f.folded").write_text(text)
    with pytest.raises(ProfileError, match=reason):
        read_flame(tmp_path / "f.folded")


def test_the_table_has_a_row_for_each_frame(flame: Flame, tmp_path: Path) -> None:
    write_frames(tmp_path / "t.parquet", flame.frames)
    rows = pq.read_table(tmp_path / "t.parquet").to_pylist()
    assert {row["name"]: row["self_ns"] for row in rows} == self_ns(flame)


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("a::b::write:src/fs.rs:22", Location("a::b::write", "src/fs.rs", 22)),
        ("a::stage: two:src/fs.rs:3", Location("a::stage: two", "src/fs.rs", 3)),
        ("write", Location("write", "", 0)),
    ],
)
def test_a_frame_is_taken_apart(text: str, place: Location) -> None:
    assert parse_frame(text) == place


def lines(*stacks: str) -> bytes:
    return b"".join(f"{stack}\n".encode() for stack in stacks)


def test_threads_without_a_name_are_one_whatever_number_they_got(tmp_path: Path) -> None:
    sides = []
    for numbers in ((2, 3), (5, 9)):
        path = tmp_path / "f.folded"
        path.write_bytes(
            lines(
                "ThreadId(1)-main; fs::mount:src/fs.rs:3 50",
                *(f"ThreadId({number}); fs::read:src/fs.rs:10 1000" for number in numbers),
                f"ThreadId({numbers[0]}) 7",
            )
        )
        sides.append(read_flame(path))
    assert sides[0] == sides[1]
    assert sides[0].folded.stacks == {("main", "fs::mount"): 50, ("[thread]", "fs::read"): 2000}


def test_every_file_of_a_capture_is_read(tmp_path: Path) -> None:
    for number, text in enumerate((lines("main; a:f.rs:1 10"), b"", lines("main; a:f.rs:1 9000"))):
        (tmp_path / f"{number}.folded").write_bytes(text)
    found = read_flame(*sorted(tmp_path.glob("*.folded")))
    assert found.folded.stacks == {("main", "a"): 9010}
    assert found.notes() == ("1.folded has 0 bytes: it was never flushed.",)


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        (b"x" * (3 << 20), "x" * (3 << 20)),
        (b"caf\xe9", "caf\ufffd"),
        (b"a\rb", "a b"),
        (b"\x1b[31mred\x1b[0m", "red"),
        (b'"quoted\x01', '"quoted'),
    ],
)
def test_no_name_takes_its_time_along(name: bytes, shown: str, tmp_path: Path) -> None:
    path = tmp_path / "f.folded"
    path.write_bytes(b"main; a:f.rs:1 10\nmain; " + name + b":f.rs:2 32\nno folded line\n")
    found = read_flame(path)
    assert found.folded.stacks == {("main", "a"): 10, ("main", shown): 32}
    assert found.notes() == ("1 lines of the recording are no folded stacks, and were left out.",)
