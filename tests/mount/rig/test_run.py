"""A run, whole: real mount, real load, and a record that says what happened."""

from __future__ import annotations

import json
import os
import signal
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.files import sha256
from fuselab.records.request import NOT_FRESH, CommandLine, Load
from fuselab.records.run import RunRecord
from fuselab.rig.state import state_folder
from fuselab.targets.model import ProfilerSupport, Stopping
from fuselab.workloads.fio import fio_json
from fuselab.workloads.metric import Metric
from fuselab.workloads.run_metrics import rows

from .conftest import fio

pytestmark = pytest.mark.mount


def metrics(record: RunRecord, out: Path) -> dict[str, Metric]:
    return {metric.name: metric for metric in rows(out, record, "fio")}


def test_a_run_mounts_loads_unmounts_and_says_so(rig, mounts_before):
    record, out = rig.run(randseed=7)
    assert record.status == "ok", record.reason
    assert json.loads((out / "run.json").read_text())["status"] == "ok"
    assert record.mount.fstype == "fuse"
    assert record.mount.source == record.argv[2]
    assert record.exit_codes == {"target": 0, "load": 0}
    assert record.phases.load_s > 0
    assert record.load_window_s[1] - record.load_window_s[0] == pytest.approx(record.phases.load_s)
    assert record.target.cpu_s > 0
    assert record.target.rss_peak_bytes > 1 << 20
    assert record.environment.state_device.startswith("/dev/") or record.environment.state_device == "tmpfs"
    assert record.environment.disk_free_bytes > 0
    assert record.binary_sha256 is None, "no binary was named"
    assert metrics(record, out)["write.bw"].value > 0
    assert list(Path(rig.root, "state").glob("*/")) == [], "the state folder is gone"
    assert mounts_before()


def test_every_file_of_the_run_is_in_its_record(rig):
    record, out = rig.run()
    left = {path.name for path in out.iterdir()} - {"run.json", "request.json"}
    assert {file.path for file in record.files} == left
    for file in record.files:
        assert sha256(out / file.path) == file.sha256
        assert (out / file.path).stat().st_size == file.size_bytes


def test_the_seed_decides_the_offsets(rig):
    def offsets(seed: int) -> list[str]:
        load = Load(
            "fio",
            "w",
            {
                "jobs": {"j": {"rw": "randwrite", "bs": "4k", "size": "1m", "write_iolog": "io.log"}},
                "global": {},
            },
            randseed=seed,
        )
        _, out = rig.run(load=load)
        return [line.split()[-2] for line in (out / "io.log").read_text().splitlines() if " write " in line]

    first = offsets(1)
    assert len(first) == 256
    assert offsets(1) == first
    assert offsets(2) != first


def test_two_mounts_share_one_state(rig):
    load = Load(
        "fio",
        "w",
        {
            "jobs": {
                "one": {"rw": "write", "size": "1m", "filename": "here"},
                "two": {"rw": "write", "size": "2m", "directory": "{mountpoint2}"},
            },
            "global": {},
        },
    )
    record, out = rig.run(mounts=2, load=load)
    assert record.status == "ok", record.reason
    assert set(record.pids) == {"target", "target-2"}
    assert record.exit_codes == {"target": 0, "target-2": 0, "load": 0}
    assert rows(out, record, "fio")
    assert record.phases.drain_s > 0


def test_commands_and_their_preparation_reach_the_second_mount(rig):
    load = Load(
        "command", "w", {"argv": ("cat", "{mountpoint2}/file"), "expect_exit": 0},
        prepare=(("sh", "-c", 'echo hello > "$0"/file', "{mountpoint}"), ("ls", "{mountpoint2}/file")),
    )  # fmt: skip
    record, out = rig.run(mounts=2, load=load)
    assert record.status == "ok", record.reason
    assert (out / "command.log").read_text() == "hello\n"
    assert str((out / "prepare-2.log").read_text()).rstrip().endswith("/mount-2/file")


def test_no_profiler_looks_at_the_second_mount(rig):
    """Its files would be those of the first."""
    shell = 'echo "{number} $LOOK" >> {state}/seen; exec bindfs -f {state} {mountpoint}'
    load = Load("command", "w", {"argv": ("cat", "{mountpoint}/seen"), "expect_exit": 0})
    record, out = rig.run(
        mounts=2, load=load, argv=("sh", "-c", shell), env=(("LOOK", "yes"),),
        others=CommandLine(("sh", "-c", shell), (("LOOK", "no"),)),
    )  # fmt: skip
    assert record.status == "ok", record.reason
    assert (out / "command.log").read_text() == "1 yes\n2 no\n"


def test_the_bare_disk_is_all_mounts_at_once(rig):
    record, _ = rig.run(
        argv=(), mounts=2, load=Load("fio", "w", {
            "jobs": {"two": {"rw": "write", "size": "1m", "directory": "{mountpoint2}"}}, "global": {},
        }),
    )  # fmt: skip
    assert record.status == "ok", record.reason


def test_data_outside_the_runs_own_state_is_marked(rig, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    record, _ = rig.run(argv=("bindfs", "-f", str(mine), "{mountpoint}"))
    assert NOT_FRESH in record.marks
    record, _ = rig.run()
    assert NOT_FRESH not in record.marks


def test_without_a_program_the_load_runs_on_the_disk(rig):
    record, _ = rig.run(argv=(), persists=True)
    assert record.status == "ok", record.reason
    assert record.mount.fstype not in ("fuse", "")
    assert record.pids == {}
    assert record.target is None


def test_a_program_that_goes_into_the_background_is_found_and_stopped(rig):
    record, _ = rig.run(argv=("bindfs", "{state}", "{mountpoint}"))
    assert record.status == "ok", record.reason
    assert record.target.cpu_s > 0
    assert record.pids["target"] > 1


@pytest.mark.parametrize("parting_s", [0.0, 0.1, 0.4])
def test_a_parent_that_leaves_late_is_no_death(rig, parting_s):
    """As `rclone mount --daemon` does: the mount answers before the process that was started has ended."""
    argv = ("sh", "-c", f'bindfs -f "$0" "$1" & sleep {parting_s}', "{state}", "{mountpoint}")
    record, _ = rig.run(argv=argv, load=fio(rw="write", bs="4k", size="1m", time_based="1", runtime="1500ms"))
    assert record.status == "ok", record.reason
    assert record.target.cpu_s > 0


def test_a_wrapper_that_stays_is_not_what_profilers_look_at(rig):
    record, out = rig.run(argv=("sh", "-c", 'bindfs -f "$0" "$1"; true', "{state}", "{mountpoint}"))
    assert record.status == "ok", record.reason
    assert record.exit_codes["target"] == 0
    seen = json.loads((out / "run.json").read_text())["pids"]["target"]
    alone, _ = rig.run(argv=("sh", "-c", 'exec bindfs -f "$0" "$1"', "{state}", "{mountpoint}"))
    assert seen == alone.pids["target"] + 1, "the shell is the first, bindfs its child"


def test_what_a_profiler_preloads_is_for_the_target_alone(rig):
    """Preparations and umount are programs too, and would leave dumps that look like the target's."""
    preload = (
        ("LD_PRELOAD", "libjemalloc.so.2"),
        ("MALLOC_CONF", "prof:true,prof_final:true,prof_prefix:{capture}/jeprof"),
    )
    record, out = rig.run(
        env=preload,
        profilers=(ProfilerSupport("jemalloc-heap", env=preload),),
        prepare=(("mkdir", "{state}/made"),),
    )
    assert record.status == "ok", record.reason
    assert {dump.name.split(".")[1] for dump in out.glob("*.heap")} == {str(record.pids["target"])}


def test_signal_first_stops_a_target_that_unmounts_itself(rig):
    record, _ = rig.run(stop=Stopping("signal", "INT", 10.0))
    assert record.status == "ok", record.reason
    assert record.exit_codes["target"] == 0


def test_sigint_reaches_the_target_though_our_own_parent_ignores_it(rig):
    request = rig.request(stop=Stopping("signal", "INT", 5.0))
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        job = rig.job(request, restore_signals=False)
    finally:
        signal.signal(signal.SIGINT, before)
    said, _ = job.communicate(timeout=60)
    assert job.returncode == 0, said
    record = json.loads(Path(request.out, "run.json").read_text())
    assert record["exit_codes"]["target"] == 0
    assert record["phases"]["stop_s"] < 4


def test_files_steps_and_environment_are_filled_in(rig):
    record, out = rig.run(
        argv=("sh", "-c", 'cat "$CONFIG" >&2; exec bindfs -f "$0" "$1"', "{state}", "{mountpoint}"),
        env=(("CONFIG", "{state}/conf/store.toml"), ("WHERE", "{capture}")),
        files=(("conf/store.toml", "root = '{state}' # {unknown}\n"),),
        prepare=(("sh", "-c", "echo made > {state}/by-prepare"),),
        load=Load("command", "w", {"argv": ["sh", "-c", "cat {mountpoint}/by-prepare; env"]}),
    )
    assert record.status == "ok", record.reason
    assert record.env["WHERE"] == str(out)
    assert "{unknown}" in (out / "target.log").read_text()
    assert "root = '" + str(rig.root) in (out / "target.log").read_text()
    assert "made" in (out / "command.log").read_text()
    assert "CONFIG" not in (out / "command.log").read_text(), "the target's variables are not the load's"


def test_the_callers_own_settings_do_not_reach_the_target(rig, monkeypatch):
    monkeypatch.setenv("RUST_LOG", "trace")
    monkeypatch.setenv("GOOGLE_API_KEY", "hush-hush")
    for network in ("private", "host"):
        record, _ = rig.run(network=network)
        assert {"RUST_LOG", "GOOGLE_API_KEY"}.isdisjoint(record.env)
    assert any(mark.startswith("network: host") for mark in record.marks)


def test_a_target_gets_what_it_names_of_the_callers_shell_and_nothing_that_is_kept_has_the_value(
    rig, monkeypatch
):
    monkeypatch.setenv("STORE", "hush/hush")
    monkeypatch.setenv("https_proxy", "http://me:swordfish@proxy:3128")
    record, out = rig.run(
        argv=(
            "sh", "-c", 'echo "got $STORE and $https_proxy" >&2; exec bindfs -f "$0" "$1"', "{state}", "{mountpoint}"
        ),
        env=(("URL", "redis://me:open-sesame@host/0"), ("MY_TOKEN", "tok-tok-tok")),
        pass_env=("STORE", "https_proxy", "NOT_SET"),
    )  # fmt: skip
    assert record.status == "ok", record.reason
    assert record.env["STORE"] == record.env["MY_TOKEN"] == "(hidden)"
    assert record.env["URL"] == "redis://me:(hidden)@host/0"
    assert any("NOT_SET" in mark for mark in record.marks)
    assert "got (hidden) and (hidden)" in (out / "target.log").read_text()
    for path in (p for p in out.rglob("*") if p.is_file() and p.name != "request.json"):
        for value in (b"hush/hush", b"hush%2Fhush", b"swordfish", b"tok-tok-tok"):
            assert value not in path.read_bytes(), path


def test_the_words_of_a_failure_are_without_secrets_too(rig, monkeypatch):
    monkeypatch.setenv("STORE", "hush/hush")
    record, out = rig.run(argv=("sh", "-c", 'echo "ERROR: $STORE" >&2; exit 3'), pass_env=("STORE",))
    assert "ERROR: (hidden)" in (record.reason or "")
    assert "hush/hush" not in (out / "attempt.json").read_text()


def test_what_fio_lays_out_is_read_from_a_fresh_mount(rig):
    load = fio(rw="randread", bs="64k", size="2m", nrfiles="4")
    record, out = rig.run(load=load)
    assert record.status == "ok", record.reason
    assert (out / "target.prepare.log").exists(), "cold: mounted once to lay out, and again to measure"
    assert record.phases.prepare_s > 0
    _, out = rig.run(load=replace(load, cache="warm"))
    assert not (out / "target.prepare.log").exists()


def test_files_that_cannot_be_laid_out_are_told_as_such(rig):
    record, _ = rig.run(load=fio(rw="read", bs="64k", size="1m", filename="."))
    assert record.status == "failed"
    assert "the files of the load w could not be laid out" in record.reason


def test_prepared_data_is_read_back_from_a_fresh_mount(rig):
    prepare = (("fio", "--name=prepare", "--directory=.", "--rw=write", "--size=2m", "--filename=data"),)
    load = Load(
        "fio",
        "w",
        {"jobs": {"j": {"rw": "read", "filename": "data", "size": "2m"}}, "global": {}},
        prepare=prepare,
    )
    record, out = rig.run(load=load)
    assert record.status == "ok", record.reason
    assert (out / "target.prepare.log").exists(), "cold: mounted once to prepare, and again to measure"
    record, out = rig.run(load=Load(load.kind, load.workload, load.settings, prepare=prepare, cache="warm"))
    assert record.status == "ok", record.reason
    assert not (out / "target.prepare.log").exists()


def test_nobody_inside_reaches_the_network_outside(rig):
    network = "ls /sys/class/net; cat /proc/net/route; ip -o addr show lo"
    record, out = rig.run(load=Load("command", "w", {"argv": ["sh", "-c", network]}))
    assert record.status == "ok", record.reason
    said = (out / "command.log").read_text()
    assert "127.0.0.1" in said, "lo is up"
    assert "00000000" not in said, "there is no default route"


def test_the_binary_is_named_by_its_hash(rig, tmp_path):
    binary = tmp_path / "results" / "builds" / "t" / "b" / "prog"
    binary.parent.mkdir(parents=True)
    binary.write_text('#!/bin/sh\nexec bindfs "$@"\n')
    binary.chmod(0o755)
    relative = str(binary.relative_to(tmp_path))
    record, _ = rig.run(binary=relative, argv=(relative, "-f", "{state}", "{mountpoint}"))
    assert record.status == "ok", record.reason
    assert record.argv[0] == str(binary)
    assert record.binary_sha256 == sha256(binary)
    (binary.parent / "build.json").write_text('{"sha256": "as the build noted"}')
    record, _ = rig.run(binary=relative, build="t/b", argv=(relative, "-f", "{state}", "{mountpoint}"))
    assert record.binary_sha256 == "as the build noted"


def test_other_peoples_folders_in_the_state_folder_and_a_living_runs_stay(rig):
    """What a killed run left is swept: test_kill kills one."""
    theirs = rig.root / "state" / "dead0000"
    theirs.mkdir(parents=True)
    (theirs / "lock").touch()
    with state_folder(rig.root / "state", rig.root / "checkout") as alive:
        rig.run()
        assert alive.data.is_dir()
    assert set(os.listdir(rig.root / "state")) == {".lock", "dead0000"}


def test_all_mounts_are_shared_out_among_the_clones_of_a_job(rig, plainfs):
    good, bad = (
        (str(plainfs), "{state}", *words, "-f", "{mountpoint}") for words in ((), ("--fail-every=1",))
    )
    load = fio(rw="write", bs="4k", size="64k", numjobs="2", directory="{mountpoints}")
    record, out = rig.run(argv=good, others=CommandLine(good, ()), mounts=2, load=load)
    assert record.status == "ok"
    assert fio_json.traffic(fio_json.read(out / "fio.json")).bytes == 2 * (64 << 10)
    record, _ = rig.run(argv=good, others=CommandLine(bad, ()), mounts=2, load=load)
    assert record.status == "failed", "the second clone writes to the second mount"
    assert "Input/output error" in str(record.reason)
    assert rig.run(argv=good, load=load)[0].status == "ok", "one mount takes both"
