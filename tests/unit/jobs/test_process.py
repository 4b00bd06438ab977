"""From capture folders to profiles: what a failed capture left is read and marked, and one that never ran says why."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pyarrow.parquet as pq
import pytest

from fuselab.files import write_json
from fuselab.jobs.process import process
from fuselab.profilers.difference import diff
from fuselab.records.capture import CaptureRecord
from fuselab.records.profile import Profile

FIO_DIED = "fio ended with exit code 1: Transport endpoint is not connected"


@pytest.fixture
def capture(tmp_path: Path, run_record):
    """A folder of a capture that failed in the middle of its load, with one raw file."""

    def capture(profiler: str, raw: Path, ran: bool = True) -> Path:
        folder = tmp_path / "001"
        folder.mkdir()
        (folder / "capture.json").write_text(json.dumps({"status": "failed", "reason": FIO_DIED}))
        if ran:
            support = {"name": profiler, "files": [raw.name, "*.heap"]}
            (folder / "request.json").write_text(json.dumps({"mount": {"profilers": [support]}}))
            write_json(folder / "attempt.json", run_record(pids={"target": 27415}))
            shutil.copy(raw, folder)
        return folder

    return capture


def test_a_trace_cut_by_a_crash_is_read_up_to_the_cut_and_marked(
    golden: Path, capture, tmp_path: Path
) -> None:
    folder = capture("trace-chrome", golden / "chrome/cut.json")
    profile = process("trace-chrome", [folder], "command", Path("gone"), tmp_path / "out")
    assert profile.status == "limited"
    assert profile.notes[0] == f"The capture failed, and is shown as far as it came: {FIO_DIED}"
    assert "cut" in profile.notes[1]
    assert profile.total > 0
    assert profile.operations == 0, "what the load did until then is not known"
    assert (tmp_path / "out/flamegraph.svg").is_file()


def test_what_a_crash_left_unusable_is_refused_with_both_reasons(
    golden: Path, capture, tmp_path: Path
) -> None:
    folder = capture("jemalloc-heap", golden / "heap/p.27415.0.i0.heap")
    profile = process("jemalloc-heap", [folder], "fio", Path("gone"), tmp_path / "out")
    assert profile.status == "refused"
    assert profile.notes[0] == f"The capture failed: {FIO_DIED}"
    assert "not the one at exit" in profile.notes[1]
    assert "through main" in profile.fix
    assert not (tmp_path / "out/flamegraph.svg").exists()


def test_a_file_of_a_target_that_was_killed_may_lack_its_end(
    golden: Path, capture, tmp_path: Path, run_record
) -> None:
    """tracing-flame's buffer holds whole lines: what a kill leaves looks complete."""
    folder = capture("trace-flame", golden / "flame/flame.folded")
    (folder / "capture.json").write_text(json.dumps({"status": "ok", "reason": None}))
    for code, status in ((0, "ok"), (-9, "limited")):
        write_json(folder / "attempt.json", run_record(exit_codes={"target": code, "load": 0}))
        profile = process("trace-flame", [folder], "criterion", Path("gone"), tmp_path / f"out{code}")
        assert profile.status == status, profile.notes
    assert "target was killed by SIGKILL" in profile.notes[0]
    assert "leave through main" in profile.notes[0]


def test_a_variant_that_never_ran_says_why_and_nothing_else(golden: Path, capture, tmp_path: Path) -> None:
    folder = capture("perf-oncpu", golden / "perf/oncpu.txt", ran=False)
    profile = process("perf-oncpu", [folder], "fio", Path("gone"), tmp_path / "out")
    assert (profile.status, profile.notes) == ("refused", (f"The capture failed: {FIO_DIED}",))
    assert json.loads((tmp_path / "out/profile.json").read_text())["status"] == "refused"


def test_a_profiler_that_left_nothing_quotes_the_targets_last_words(
    golden: Path, capture, tmp_path: Path
) -> None:
    folder = capture("tokio-console", golden / "console/filtered.ndjson")
    (folder / "filtered.ndjson").unlink()
    (folder / "target.log").write_text("serving\nthis build ignores TOKIO_CONSOLE\n\n")
    profile = process("tokio-console", [folder], "fio", Path("gone"), tmp_path / "out")
    assert profile.status == "refused"
    assert "left no file. The target's log ends with: this build ignores TOKIO_CONSOLE" in profile.notes[1]
    assert "rustflags" in profile.fix


def test_a_benchs_own_picture_is_a_strangers_program_and_is_drawn_anew(
    golden: Path, tmp_path: Path, run_record
) -> None:
    home = tmp_path / "001" / "criterion"
    shutil.copytree(golden / "criterion", home)
    for svg in home.rglob("flamegraph.svg"):
        svg.write_text(svg.read_text().replace("</svg>", "<script>steal()</script></svg>"))
    folder = tmp_path / "001"
    (folder / "capture.json").write_text(json.dumps({"status": "ok", "reason": None}))
    write_json(folder / "run.json", run_record())
    profile = process("criterion-flamegraph", [folder], "criterion", Path("gone"), tmp_path / "out")
    assert profile.pictures, profile.notes
    for picture in (tmp_path / "out").glob("*.svg"):
        assert "steal" not in picture.read_text()


LEGACY = "main;a::serve;<a::Mem<T> as a::Store>::put;a::Mem<T>::mix 900\nmain;a::serve;a::burn 100\n"
V0 = (
    "main;a::serve::<a::Mem<u8>>;<a::Mem<u8> as a::Store>::put;a::Mem<u8>::mix 450\n"
    "main;a::serve::<a::Mem<u32>>;<a::Mem<u32> as a::Store>::put;a::Mem<u32>::mix 450\n"
    "main;a::serve::<a::Mem<u32>>;a::burn 100\n"
)


@pytest.mark.parametrize(
    ("sides", "moved"),
    [((LEGACY, V0), False), ((V0, LEGACY), False), ((V0, V0.replace("450", "700", 1)), True)],
)
def test_nothing_moves_between_two_manglings_of_one_program(
    sides: tuple[str, str], moved: bool, tmp_path: Path
) -> None:
    folders = []
    for number, folded in enumerate(sides):
        folder = tmp_path / f"variant{number}/load/perf-oncpu"
        folder.mkdir(parents=True)
        for name in ("folded.txt", "folded.001.txt", "folded.002.txt"):
            (folder / name).write_text(folded)
        said = "legacy, v0" if folded == LEGACY else "v0"
        profile = {
            "profiler": "perf-oncpu", "status": "ok", "unit": "ns on CPU", "total": 1000, "captures": 2,
            "operations": 2, "bytes": 2, "source_files": [], "operations_by_capture": [1, 1],
            "bytes_by_capture": [1, 1], "figures": {"rust_mangling": said},
        }  # fmt: skip
        (folder / "profile.json").write_text(json.dumps(profile))
        folders.append(folder)
    diff(folders[0], folders[1], tmp_path / "diff")
    with (tmp_path / "diff/movers.csv").open() as file:
        rows = {row["function"]: row for row in csv.DictReader(file)}
    assert any(row["moved"] != "no" for row in rows.values()) == moved
    note = json.loads((tmp_path / "diff/diff.json").read_text())["note"]
    assert ("mangled in two ways" in note) == (not moved)
    assert ("a::serve" in rows) == (not moved), "two v0 builds keep their generic arguments"


@pytest.mark.parametrize("empty", ["baseline", "variant"])
def test_a_side_that_was_never_blocked_is_compared_all_the_same(tmp_path: Path, empty: str) -> None:
    """What there is on one side alone has moved; a picture takes a stack in the variant."""
    sides = {name: tmp_path / name / "w" / "perf-offcpu" for name in ("baseline", "variant")}
    for name, folder in sides.items():
        folder.mkdir(parents=True)
        text = "" if name == empty else "fs;main;fsync 5000000\n"
        for number in ("", ".001", ".002"):
            (folder / f"folded{number}.txt").write_text(text)
        total = 0 if name == empty else 10_000_000
        made = Profile("perf-offcpu", "ok", "ns off CPU", total, 2, 20, 0, (), (10, 10), (0, 0))
        write_json(folder / "profile.json", made)
    diff(sides["baseline"], sides["variant"], tmp_path / "diff")
    said = json.loads((tmp_path / "diff" / "diff.json").read_text())["note"]
    assert "fsync" in (tmp_path / "diff" / "movers.csv").read_text()
    assert (tmp_path / "diff" / "diff.svg").is_file() == (empty == "baseline")
    assert ("no stack to draw" in said) == (empty == "variant")


def test_a_bench_that_waits_has_not_less_of_all_that_it_does(tmp_path: Path) -> None:
    """Five seconds of a profile are not so and so many iterations: shares are drawn, and the page says so."""
    stacks = {"baseline": "bench;write 900\nbench;copy 100\n", "variant": "bench;write 45\nbench;burn 55\n"}
    for name, text in stacks.items():
        (folder := tmp_path / name / "w" / "criterion-flamegraph").mkdir(parents=True)
        for number in ("", ".001"):
            (folder / f"folded{number}.txt").write_text(text)
        made = Profile("criterion-flamegraph", "ok", "samples on CPU", 100, 1, 0, 0, (), (0,), (0,))
        write_json(folder / "profile.json", made)
        stacks[name] = str(folder)
    diff(Path(stacks["baseline"]), Path(stacks["variant"]), tmp_path / "diff")
    drawn = (tmp_path / "diff/diff.folded").read_text().splitlines()
    assert sorted(drawn) == ["bench;burn 0 55", "bench;copy 10 0", "bench;write 90 45"]
    assert json.loads((tmp_path / "diff/diff.json").read_text())["scale"] == "by share"


@pytest.mark.parametrize("profiler", ["trace-chrome", "trace-flame", "tokio-console"])
def test_what_a_program_calls_things_breaks_no_picture(profiler: str, capture, tmp_path: Path) -> None:
    strange = "a\x1b[31mb\x1b[0m\x07\x00;\r<&c"
    raw = {
        "trace-chrome": "[\n" + ",\n".join(
            json.dumps({"ph": ph, "pid": 1, "ts": ts, "name": strange, "cat": "fs", "tid": 0, "id": 1})
            for ph, ts in (("b", 0), ("e", 90))
        ) + "\n]",
        "trace-flame": f"main; {strange}:f.rs:1 90\n",
        "tokio-console": '{"v":1}\n' + "".join(
            json.dumps({kind: {"id": 1, "at": {"secs_since_epoch": 1, "nanos_since_epoch": at}, **more}}) + "\n"
            for kind, at, more in (
                ("Spawn", 0, {"fields": [{"name": "task.name", "value": strange}]}),
                ("Enter", 10, {}), ("Exit", 60, {}), ("Close", 90, {}),
            )
        ),
    }[profiler]  # fmt: skip
    (tmp_path / "raw").write_text(raw, newline="")
    folder = capture(profiler, tmp_path / "raw")
    (folder / "capture.json").write_text(json.dumps({"status": "failed", "reason": "of the test"}))
    profile = process(profiler, [folder], "fio", Path("gone"), tmp_path / "out")
    assert profile.status == "limited", profile.notes
    drawn = ElementTree.parse(tmp_path / "out/flamegraph.svg")
    titles = [element.text or "" for element in drawn.iter("{http://www.w3.org/2000/svg}title")]
    assert any("ab" in title and "<&c" in title for title in titles), titles
    table = pq.read_table(tmp_path / "out/table.parquet").to_pylist()
    assert not any("\x1b" in str(value) or "\x00" in str(value) for row in table for value in row.values())


def test_every_file_that_a_pattern_names_is_read(tmp_path: Path, run_record) -> None:
    folder = tmp_path / "001"
    folder.mkdir()
    for number, (start, end) in enumerate(((0, 10), (20, 9020))):
        events = (
            {"ph": ph, "ts": ts, "name": "write", "cat": "fs", "tid": 0, "id": 1}
            for ph, ts in (("b", start), ("e", end))
        )
        (folder / f"trace-{number}.json").write_text("[\n" + ",\n".join(map(json.dumps, events)) + "\n]")
    (folder / "capture.json").write_text(json.dumps({"status": "failed", "reason": "of the test"}))
    support = {"name": "trace-chrome", "files": ["trace*.json"]}
    (folder / "request.json").write_text(json.dumps({"mount": {"profilers": [support]}}))
    write_json(folder / "attempt.json", run_record())
    profile = process("trace-chrome", [folder], "command", Path("gone"), tmp_path / "out")
    assert profile.total == 9_010_000, "ns: 10 us of one file, 9,000 of the other"
    assert len(profile.source_files) == 2
    assert profile.figures["spans"] == 2


def test_a_trace_that_a_variants_own_filter_left_empty_says_so_first(tmp_path: Path, run_record) -> None:
    """ "Never flushed" is what it looks like, and is not why."""
    folder = tmp_path / "001"
    folder.mkdir()
    write_json(folder / "run.json", run_record(status="ok"))
    write_json(folder / "capture.json", CaptureRecord("ok", None))
    support = {"name": "trace-chrome", "files": ["trace.json"], "log_filter": ["RUST_LOG", "warn,fs=trace"]}
    mount = {"env": [["RUST_LOG", "info"]], "profilers": [support]}
    (folder / "request.json").write_text(json.dumps({"mount": mount}))
    (folder / "trace.json").write_text("")
    profile = process("trace-chrome", [folder], "command", Path("gone"), tmp_path / "out")
    assert profile.status == "refused"
    assert profile.notes[0].startswith("RUST_LOG=info of the variant takes the place of the filter")
