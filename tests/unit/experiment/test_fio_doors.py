"""A fio option means what fio reads of it, and may say the same by every door: YAML, job file, variant, preparation.

The right readings here are fio's own: its `--showcmd`, and the JSON of a real run.
"""

import json
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from fuselab.commands.check import look_at
from fuselab.schema.errors import ExperimentErrors
from fuselab.workloads.fio import parse_only

TWO = "target: demo\nvariants: {old: {}, new: {options: {cache: 64m}}}\n"
COMMENTED = """\
# as people write them
[global]            ; for every job
rw=randwrite        # small random writes
bs = 4k             ; block size
size=1m
runtime=1 sec       ; one second
numjobs=2           # two of them
[first]             # warm
[second one]
wait_for_previous   ; after the first
rate_iops=1k ; slow on purpose
readwrite=randread
"""


def load_of(read, repository: Path, job: str):
    (repository / "experiments" / "job.fio").write_text(job)
    return read(TWO, "workloads: {w: {fio: {file: job.fio}}}\n").experiment.workloads[0]


def test_a_job_file_is_read_as_fio_reads_it(read, repository, tmp_path):
    jobs = load_of(read, repository, COMMENTED).settings["jobs"]
    shared = {"rw": "randwrite", "bs": "4k", "size": "1m", "runtime": "1s", "numjobs": "2"}
    assert jobs == {
        "first": shared,
        "second one": {**shared, "stonewall": "1", "rate_iops": "1k", "rw": "randread"},
    }
    out = tmp_path / "fio.json"
    argv = ["fio", "--output-format=json", f"--output={out}", str(repository / "experiments" / "job.fio")]
    subprocess.run(argv, cwd=tmp_path, check=True, capture_output=True)
    took = json.loads(out.read_text())
    assert {job["jobname"] for job in took["jobs"]} == set(jobs)
    assert took["global options"]["bs"].strip() == jobs["first"]["bs"]
    assert took["jobs"][-1]["job options"]["rw"] == jobs["second one"]["rw"]


def test_both_doors_lead_to_one_load(read, repository):
    by_file = load_of(read, repository, "[w]\nrw=write ; x\nblocksize=4k\nsize=1m # y\nstonewall=0\n")
    text = "workloads: {w: {fio: {rw: write, blocksize: 4k, size: 1m, stonewall: 0}}}\n"
    [by_yaml] = read(TWO, text).experiment.workloads
    assert by_file.settings["jobs"] == by_yaml.settings["jobs"]


FORBIDDEN = [
    ("exec_prerun", "touch /tmp/x", "starts no programs"),
    ("exec_postrun", "true", "starts no programs"),
    ("ioengine", "external:/tmp/x.so", "I/O on files of the mount"),
    ("ioengine", "../../tmp/x", "I/O on files of the mount"),
    ("ioengine", "exec", "I/O on files of the mount"),
    ("ioengine", "null", "I/O on files of the mount"),
    ("read_iolog", "/tmp/trace", "which files are opened"),
    ("write_iolog", "trace", "which files are opened"),
    ("write_iops_log", "/tmp/x", "fuselab reads what fio writes"),
    ("log_compression", "4k", "fuselab reads what fio writes"),
    ("filename", "a:/etc/passwd", "its 'directory'"),
    ("filename", "sub/../../x", "its 'directory'"),
    ("filename_format", "/tmp/$jobname", "its 'directory'"),
    ("directory", "{mountpoint}/../..", "runs in the mount"),
    ("directory", "{mountpoint}:/etc", "runs in the mount"),
    ("opendir", "/etc", "name them with 'filename'"),
    ("mem", "mmap:/tmp/x", "outside the mount"),
    ("buffer_pattern", "'/etc/passwd'", "outside the mount"),
    ("ioscheduler", "none", "changes the machine"),
    ("cgroup", "x", "changes the machine"),
    ("numjobs", "$ncpus", "write the value"),
    ("description", "${HOME}", "write the value"),
    ("unified_rw_reporting", "1", "leave it out"),
    ("unified_rw_reporting", "mixed", "leave it out"),
    ("group_reporting", "0", "fuselab reads what fio writes"),
    ("per_job_logs", "1", "fuselab reads what fio writes"),
    ("gtod_reduce", "1", "leave it out"),
    ("percentile_list", "50:90", "50, 99 and 99.9"),
    ("wait_for", "a", "stonewall"),
    ("name", "../../x", "a job's name"),
    ("ramp_time", "1min", "1 microseconds"),
    ("iodepth", "2*4", "fio reads '2*4' as 2"),
]  # fmt: skip


@pytest.mark.parametrize(("option", "value", "why"), FORBIDDEN)
def test_no_door_is_unguarded(read, repository, option, value, why):
    quoted = json.dumps(value)
    load = f"workloads: {{w: {{fio: {{rw: write, size: 1m, {option}: {quoted}}}}}}}\n"
    prepare = (
        f"workloads: {{w: {{fio: {{rw: read, size: 1m}}, prepare: [{{fio: {{{option}: {quoted}}}}}]}}}}\n"
    )
    own = f"target: demo\nvariants: {{old: {{}}, new: {{fio: {{{option}: {quoted}}}}}}}\n"
    plain = "workloads: {w: {fio: {rw: write, size: 1m}}}\n"
    for head, text, key in (
        (TWO, load, f"workloads.w.fio.{option}"),
        (TWO, prepare, f"workloads.w.prepare.0.fio.{option}"),
        (own, plain, f"variants.new.fio.{option}"),
    ):
        with pytest.raises(ExperimentErrors) as caught:
            read(head, text)
        said = {problem.key: problem.message for problem in caught.value.problems}
        assert key in said
        assert why in said[key] or "fio" in said[key]
    with pytest.raises(ExperimentErrors) as caught:
        load_of(read, repository, f"[w]\nrw=write\nsize=1m\n{option}={value} ; a comment\n")
    assert f"{option}" in caught.value.problems[0].message
    assert caught.value.problems[0].key == "workloads.w.fio.file"


@pytest.mark.parametrize(
    "option", ["trigger", "trigger-file", "output", "aux-path", "daemonize", "server", "exec_pre"]
)
def test_a_preparation_takes_options_of_jobs_and_none_of_fio_s_own(read, option):
    text = (
        f"workloads: {{w: {{fio: {{rw: read, size: 1m}}, prepare: [{{fio: {{rw: write, {option}: x}}}}]}}}}\n"
    )
    with pytest.raises(ExperimentErrors, match=option):
        read(TWO, text)


def test_fio_is_never_asked_about_what_may_not_be_said(read, repository, monkeypatch):
    """Asking can be enough: fio loads an engine, follows an `include` and lists a folder while it only parses."""
    asked = []

    def fake(argv, job=""):
        asked.append(job)
        return parse_only.Said(0, "", "")

    monkeypatch.setattr(parse_only, "run", fake)
    for line in (
        "ioengine = external:/tmp/x.so",
        " include /dev/zero",
        "opendir=/",
        "description=" + "x" * 5000,
    ):
        with pytest.raises(ExperimentErrors):
            load_of(read, repository, f"[w]\nrw=write\nsize=1m\n{line}\n")
    assert not any(word in job for job in asked for word in ("external", "include", "opendir", "xxxx"))


@pytest.mark.parametrize(
    ("written", "fios"), [("4k ; block size", "4k"), ("4k # block size", "4k"), ("4k;x", "4k")]
)
def test_a_comment_inside_a_value_of_yaml_is_said(read, written, fios):
    with pytest.raises(ExperimentErrors) as caught:
        read(
            TWO,
            f'workloads: {{w: {{fio: {{rw: write, size: 1m, filesize: 1m, blockalign: "{written}"}}}}}}\n',
        )
    [problem] = caught.value.problems
    assert problem.suggestion == fios
    assert problem.key == "workloads.w.fio.blockalign"


def test_a_control_character_is_refused_where_it_would_spoil_fio_s_json(read, repository):
    with pytest.raises(ExperimentErrors, match=r"fio\.description.*control character|control character"):
        read(TWO, 'workloads: {w: {fio: {rw: write, size: 1m, description: "a\\tb"}}}\n')
    with pytest.raises(ExperimentErrors, match=r"line 4.*control character"):
        load_of(read, repository, "[w]\nrw=write\nsize=1m\ndescription=a\tb\n")
    assert load_of(read, repository, "[w]\t; tabs\nrw=write\t; between\nsize=1m\r\n").settings["jobs"] == {
        "w": {"rw": "write", "size": "1m"}
    }


@pytest.mark.parametrize("name", ["../../x", "a/b", 'a"b', "a] words"])
def test_a_job_s_name_is_no_path(read, repository, name):
    with pytest.raises(ExperimentErrors, match="job's name"):
        load_of(read, repository, f"[{name}]\nrw=write\nsize=1m\n")


def test_a_name_for_all_jobs_as_in_fio_s_own_examples_is_taken_over(read, repository):
    jobs = load_of(read, repository, "[global]\nname=fio-rand-RW\nrw=randrw\nsize=1m\n[burn 50%]\n[file1]\n")
    assert jobs.settings["jobs"]["file1"]["name"] == "fio-rand-RW"
    assert set(jobs.settings["jobs"]) == {"burn 50%", "file1"}


def test_a_job_is_not_called_as_what_holds_for_all_jobs(read):
    """fio takes `[global-write]` for a `[global]`, and finds no job."""
    job = "[global-write]\nrw=write\n[w]\nrw=read\n"
    asked = subprocess.run(["fio", "--showcmd", "-"], input=job, text=True, capture_output=True, check=True)
    assert "--name=global-write" not in asked.stdout
    for load in (
        "{global-write: {fio: {rw: write, size: 1m}}}",
        "{w: {fio: {jobs: {globals: {rw: write, size: 1m}}}}}",
    ):
        with pytest.raises(ExperimentErrors, match="for options of all jobs"):
            read(TWO, f"workloads: {load}\n")


def test_a_file_that_fio_does_not_take_is_refused_in_its_words(read, repository):
    with pytest.raises(ExperimentErrors, match="fio does not take 'backwards' for 'rw'"):
        load_of(read, repository, "[w]\nrw=backwards\nsize=1m\n")


def test_a_variant_calls_an_option_as_fio_does(read):
    own = "target: demo\nvariants: {old: {}, new: {fio: {blocksize: 8k}}}\n"
    with pytest.raises(ExperimentErrors, match="fio's own name for 'blocksize' is 'bs'"):
        read(own, "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m}}}\n")


def test_without_fio_the_file_is_read_as_well_as_can_be_and_a_note_says_so(repository, monkeypatch):
    parse_only.ask.cache_clear()
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    (repository / "experiments" / "job.fio").write_text(COMMENTED.replace("runtime=1 sec", "runtime=1s"))
    path = repository / "experiments" / "trial.yaml"
    path.write_text("name: trial\n" + TWO + "workloads: {w: {fio: {file: job.fio}}}\n")
    problems, notes = look_at(path)
    assert problems == ()
    assert any("fio" in line.text and "could not be asked" in line.text for line in notes)
    parse_only.ask.cache_clear()


def test_fio_is_asked_once_about_one_text(read, monkeypatch):
    load = f"workloads: {{w: {{fio: {{rw: write, size: 1m, description: {time.time_ns()}}}}}}}\n"
    calls = []
    really = parse_only.run

    def counted(*args):
        calls.append(args)
        return really(*args)

    monkeypatch.setattr(parse_only, "run", counted)
    read(TWO, load)
    assert len(calls) == 1
    parse_only.ask.cache_clear()
    calls.clear()
    read(TWO, load)
    assert calls == [], "what fio said of it is kept"
