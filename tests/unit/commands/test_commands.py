"""Each verb as somebody types it, in a little repository; nothing is built or mounted here."""

import csv
import datetime
import io
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import pytest
import yaml
from rich.console import Console

from fuselab import checksums, words
from fuselab.cli import VERBS, main
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.planning import make_plan
from fuselab.files import write_json
from fuselab.records.comparison import Comparison
from fuselab.records.metrics import Sample
from fuselab.records.places import Results
from fuselab.records.run import Phases, RunRecord
from fuselab.records.summary import Summary, SummaryRow
from fuselab.records.table import columns, write_rows
from fuselab.rig.state import state_folder
from fuselab.schema import schemas
from fuselab.workflow.cleanup import all_leftovers, named_paths
from fuselab.workflow.description import describe
from fuselab.workflow.nights import of_night
from fuselab.workflow.stale_locks import alone


def record(**changes: Any) -> RunRecord:
    known: dict[str, Any] = {
        "purpose": "timed", "experiment": "trial", "workload": "w", "variant": "old", "profiler": "none", "block": 1,
        "repeat": None, "status": "ok", "reason": None, "argv": ("demo", "mount", "/m"), "env": {"A": "1"},
        "pids": {"target": 6}, "mount": None, "phases": Phases(0, 0, 0.02, 0, 3.0, 0.1, 0.01, 0.1),
        "load_window_s": None, "load_started_unix_s": None, "exit_codes": {"load": 0}, "binary_sha256": "ab" * 32,
        "build": "demo/x", "network": "private", "randseed": 1, "environment": None, "target": None, "files": (),
        "started_unix_s": 0.0, "rig_version": 1,
    }  # fmt: skip
    return msgspec.convert(known | changes, RunRecord)


def put(path: Path, value: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(msgspec.json.encode(value))


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_has_its_module_and_help(fuselab, verb):
    done = fuselab(verb, "--help")
    assert done.exit_code == 0
    assert "Usage:" in done.output


def test_a_misspelt_verb_gets_the_nearest(fuselab):
    done = fuselab("chekc")
    assert done.exit_code == 2
    assert "Did you mean 'check'?" in done.output


def test_the_command_line_says_what_it_is():
    assert main.help
    assert "FUSE" in main.help


class TestCheck:
    def test_all_files_without_a_name(self, fuselab, repository: Path):
        (repository / "targets" / "lonely" / "target.yaml").unlink()
        done = fuselab("check")
        assert done.exit_code == 0, done.output
        assert "experiments/trial.yaml" in done.output
        assert "targets/demo/target.yaml" in done.output
        assert "services/etcd.yaml" in done.output

    def test_an_experiment_by_its_name(self, fuselab):
        assert fuselab("check", "trial").exit_code == 0

    def test_a_target_by_its_folder(self, fuselab, repository: Path, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.chdir(repository)
        assert fuselab("check", "targets/demo").output == "ok  targets/demo/target.yaml\n"

    def test_a_folder_of_the_same_name_is_not_the_experiment(
        self, fuselab, repository: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (repository / "trial").mkdir()
        monkeypatch.chdir(repository)
        assert fuselab("check", "trial").output == "ok  experiments/trial.yaml\n"

    def test_no_such_experiment(self, fuselab):
        done = fuselab("check", "trail")
        assert done.exit_code == 1
        assert "did you mean 'trial'?" in done.output
        assert "Traceback" not in done.output


class TestMissingPrograms:
    def write(self, repository: Path) -> None:
        target = repository / "targets" / "gone" / "target.yaml"
        target.parent.mkdir()
        target.write_text(
            "name: gone\nbuild: {installed: {binary: nosuchfs}}\n"
            'mount: {prepare: [[nosuchmkfs, "{state}"]], argv: ["{binary}", "{mountpoint}"]}\n'
        )
        (repository / "experiments" / "gone.yaml").write_text(
            "name: gone\ntarget: gone\nvariants: {a: {}, b: {env: {A: b}}}\nworkloads:\n"
            "  w: {prepare: [[sync], [bin/made]], command: {argv: [nosuchtool]}}\n"
        )

    @pytest.mark.parametrize("verb", ["check", "plan"])
    def test_they_are_notes_and_no_faults(self, fuselab, repository: Path, verb):
        self.write(repository)
        done = fuselab(verb, "gone")
        assert done.exit_code == 0, done.output
        assert [line for line in done.output.splitlines() if line.startswith("note: ")] == [
            "note: target gone: `nosuchfs` is not on PATH here: the machine that measures needs it",
            "note: target gone: `nosuchmkfs` is not on PATH here: the machine that measures needs it",
            "note: load w: `nosuchtool` is not on PATH here: the machine that measures needs it",
        ]

    def test_the_doctor_looks_at_steps_and_commands_too(self, fuselab, repository: Path):
        self.write(repository)
        done = fuselab("doctor", "gone", "--json")
        assert done.exit_code == 1
        lines = {line["text"]: line for line in json.loads(done.output) if line["level"] == "bad"}
        for program in ("nosuchfs", "nosuchmkfs", "nosuchtool"):
            assert lines[f"`{program}` is not installed"]["mend"] == f"sudo apt-get install {program}"

    def test_a_target_by_itself_has_its_own(self, fuselab, repository: Path):
        self.write(repository)
        assert fuselab("check", "targets/gone").output.count("note: target gone") == 2

    @pytest.mark.parametrize("verb", ["check", "plan", "doctor"])
    def test_what_verifies_and_what_counts_is_looked_for_with_its_mend(
        self, fuselab, repository: Path, verb, monkeypatch
    ):
        monkeypatch.setattr("fuselab.experiment.needs.tool_path", lambda _: None)
        self.write(repository)
        target, experiment = (
            repository / place for place in ("targets/gone/target.yaml", "experiments/gone.yaml")
        )
        target.write_text(target.read_text() + "counters: [{argv: [nosuchctl], format: lines}]\n")
        experiment.write_text(experiment.read_text() + "verify: [data, posix, random]\n")
        said = " ".join(fuselab(verb, "gone").output.split())
        assert said.count("make setup-verify") == 2
        assert "`pjdfstest` is not installed" in said
        assert "`fsx` is not installed" in said
        assert (
            "`nosuchctl` is not on PATH here: without it, what it would tell of counters is unavailable"
            in said
        )

    @pytest.mark.parametrize("verb", ["check", "plan", "doctor"])
    def test_what_makes_a_service_distant_is_looked_for_with_its_mend(
        self, fuselab, repository: Path, verb, monkeypatch
    ):
        monkeypatch.setattr("fuselab.programs.tool_path", lambda _: None)
        (repository / "experiments" / "far.yaml").write_text(
            "name: far\ntarget: demo\nbackend: etcd\nvariants: {near: {}, far: {network: {delay: 1ms}}}\n"
            "workloads: {w: {fio: {rw: write, size: 4m}}}\n"
        )
        said = " ".join(fuselab(verb, "far").output.split())
        assert "`fuselab-relay`" in said
        assert "make setup" in said

    @pytest.mark.parametrize(("blocks", "told"), [("1", True), ("5", True), ("6", False), ("auto", False)])
    def test_so_few_blocks_that_no_clock_can_decide_are_one(self, fuselab, repository: Path, blocks, told):
        path = repository / "experiments/trial.yaml"
        path.write_text(path.read_text() + f"blocks: {blocks}\n")
        done = fuselab("check", "trial")
        assert done.exit_code == 0
        assert (f"note: blocks: {blocks} can tell nothing faster or slower" in done.output) == told

    def test_so_few_blocks_for_so_many_comparisons_that_none_can_be_decided_are_one(
        self, fuselab, repository: Path
    ):
        path = repository / "experiments/trial.yaml"
        path.write_text(
            "name: trial\ntarget: demo\nvariants: {a: {}, b: {env: {B: 1}}, c: {env: {C: 1}}}\n"
            "workloads: {w: {fio: {rw: write, size: 4m}}}\nblocks: 6\n"
        )
        done = fuselab("check", "trial")
        assert done.exit_code == 0
        assert "note: blocks: 6 decide none of 2 comparisons" in done.output
        path.write_text(path.read_text().replace("blocks: 6", "blocks: 7"))
        assert "note: blocks" not in fuselab("check", "trial").output

    def test_json_of_check_holds_faults_alone_and_that_of_plan_the_notes(self, fuselab, repository: Path):
        self.write(repository)
        assert json.loads(fuselab("check", "gone", "--json").output) == []
        assert len(json.loads(fuselab("plan", "gone", "--json").output)["notes"]) == 3


class TestSchema:
    @pytest.mark.parametrize("name", schemas.NAMES)
    def test_one_piece_of_json(self, fuselab, name):
        assert json.loads(fuselab("schema", name).output) == schemas.bundled(name)
        assert json.loads(fuselab("schema").output)[name] == schemas.bundled(name)

    def test_the_reference_pages(self, fuselab, tmp_path: Path):
        fuselab("schema", "--docs", str(tmp_path / "docs"))
        assert {path.name for path in (tmp_path / "docs").iterdir()} == {
            "experiment.md",
            "target.md",
            "service.md",
            "sql.md",
        }


class TestNew:
    @pytest.mark.parametrize("target", ["demo", "plain", "floor", "frozen"])
    def test_what_it_writes_is_right_as_it_is(self, fuselab, repository: Path, target):
        assert fuselab("new", "first", "--target", target).exit_code == 0
        done = fuselab("check", "first")
        assert done.exit_code == 0, done.output

    def test_it_names_what_the_target_can(self, fuselab):
        text = fuselab("new", "first", "-t", "demo", "--stdout").output
        assert yaml.safe_load(text)["backend"] == "sqlite"
        for word in ("etcd", "cache", "trace-chrome", "rev:"):
            assert word in text

    def test_it_writes_over_nothing(self, fuselab, repository: Path):
        before = (repository / "experiments" / "trial.yaml").read_text()
        done = fuselab("new", "trial", "-t", "demo")
        assert done.exit_code == 1
        assert "is there already" in done.output
        assert (repository / "experiments" / "trial.yaml").read_text() == before

    def test_an_unknown_target_gets_the_nearest(self, fuselab):
        assert "did you mean 'demo'?" in fuselab("new", "first", "-t", "dmeo").output

    def test_without_a_target_they_are_listed(self, fuselab):
        done = fuselab("new", "first")
        assert done.exit_code == 1
        assert "--target (there are: demo, " in done.output

    def test_a_filesystem_that_cannot_be_written_gets_a_load_that_reads(self, fuselab):
        written = fuselab("new", "first", "-t", "frozen", "--stdout").output
        assert "target: directory" not in written, "the bare disk holds nothing to read"
        text = yaml.safe_load(written)
        assert list(text["workloads"]) == ["read-all"]
        assert text["compare"]["primary"] == ["command.wall_s"]

    def test_a_name_that_cannot_be_a_file(self, fuselab):
        done = fuselab("new", "a/b", "-t", "demo")
        assert done.exit_code == 1
        assert "cannot be a name" in done.output


class TestPlan:
    @pytest.mark.parametrize(
        "written",
        ["trial", "experiments/trial.yaml", "experiments/trial.yml", "results/trial", "results/trial/"],
    )
    def test_an_experiment_is_known_by_whatever_leads_to_it(self, fuselab, written):
        assert fuselab("plan", written).output.startswith("trial")

    def test_what_is_there_and_what_is_to_do(self, fuselab, repository: Path):
        plan = make_plan(load_experiment(repository / "experiments" / "trial.yaml", repository))
        spec = plan.timed_spec("w")
        for number in ("001", "002"):
            block = repository / "results" / "trial" / "blocks" / "w" / spec / number
            put(block / "block.json", {})
            put(block / "old" / "run.json", record())
        (repository / "results" / "trial" / "blocks" / "w" / "0123456789ab" / "001").mkdir(parents=True)
        found = json.loads(fuselab("plan", "trial", "--json").output)["forecast"]
        [blocks] = [part for part in found["parts"] if part["what"] == "blocks"]
        assert (blocks["done"], blocks["wanted"], blocks["measured"]) == (2, 12, True)
        assert blocks["seconds_each"] == pytest.approx(3 * 3.23)
        assert [leftover["path"] for leftover in found["stale"]] == ["results/trial/blocks/w/0123456789ab"]
        assert len(found["findable"]) == 2
        said = fuselab("plan", "trial").output
        assert "2 of 12" in said
        assert "0123456789ab" in said

    def test_before_any_run_it_guesses_from_the_load(self, fuselab):
        found = json.loads(fuselab("plan", "trial", "--json").output)["forecast"]
        [blocks] = [part for part in found["parts"] if part["what"] == "blocks"]
        assert not blocks["measured"]
        assert blocks["seconds_each"] > 3 * 3

    def test_what_services_ways_and_drains_take_is_said_by_variant(self, fuselab, repository: Path):
        target = repository / "targets" / "demo" / "target.yaml"
        target.write_text(f"{target.read_text()}drain: {{quiet: 2s, limit: 90s}}\n")
        written = repository / "experiments" / "trial.yaml"
        written.write_text(
            "name: trial\ntarget: demo\nbackend: etcd\nblocks: 12\nwork: false\n"
            "variants: {near: {}, far: {network: {delay: 5ms}}, disk: {backend: sqlite}}\n"
            "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 3s}}}\n"
        )

        def said() -> list[str]:
            return [line for line in fuselab("plan", "trial").output.splitlines() if "Each run" in line]

        # Of each variant 12 blocks and a verifying run are to be made.
        assert said() == [
            "Each run of near, far starts and stops etcd: about 1 s, 26 s of what is to go.",
            "Each run of far measures round trips (5 ms each way): about 0.62 s, 8.06 s of what is to go.",
            "Each run of near, far, disk waits until it has drained (store quiet for 2 s, within 90 s): about 2 s, "
            "1 min 18 s of what is to go.",
        ]
        guessed = json.loads(fuselab("plan", "trial", "--json").output)["forecast"]
        [blocks] = [part for part in guessed["parts"] if part["what"] == "blocks"]
        assert blocks["seconds_each"] == pytest.approx(3 * (3.3 + 2) + 2 * 1 + 0.62 + 3 * 2)

        plan = make_plan(load_experiment(written, repository))
        block = repository / "results/trial/blocks/w" / plan.timed_spec("w") / "001"
        put(block / "block.json", {})
        for variant, setup_s, drain_s in (("near", 0.5, 2.5), ("far", 0.5 + 0.62, 2.5), ("disk", 0.01, 4.0)):
            phases = Phases(0, setup_s, 0.02, 0, 3.0, drain_s, 0.01, 0)
            trips = {"service": (0.010, 0.010)} if variant == "far" else {}
            put(block / variant / "run.json", record(variant=variant, phases=phases, round_trips_s=trips))
        assert said() == [
            "Each run of near, far starts and stops etcd: 0.5 s here, 12 s of what is to go.",
            "Each run of far measures round trips (5 ms each way): 0.62 s here, 7.44 s of what is to go.",
            "Each run of near, far, disk waits until it has drained (store quiet for 2 s, within 90 s): 3 s here, "
            "1 min 48 s of what is to go.",
        ]

    def test_how_long_a_counter_takes_to_come_down_only_a_run_can_tell(self, fuselab, repository: Path):
        target = repository / "targets" / "demo" / "target.yaml"
        counting = "counters: [{file: '{state}/up', format: lines}]\ndrain: {counter: uploads, limit: 2m}\n"
        target.write_text(f"{target.read_text()}{counting}")
        lines = fuselab("plan", "trial").output.splitlines()
        [said] = [line for line in lines if "Each run" in line]
        assert said.endswith(
            "waits until it has drained (counter uploads at 0, within 120 s): how long that takes no run here tells "
            "yet, at most 2 min 0 s each."
        )

    def test_services_of_variants_that_take_turns_start_at_once(self, fuselab, repository: Path):
        (repository / "experiments" / "trial.yaml").write_text(
            "name: trial\ntarget: demo\nbackend: etcd\nblocks: 12\nwork: false\ndesign: slices\n"
            "variants: {old: {}, new: {options: {cache: 1}}}\n"
            "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 3s}}}\n"
        )
        [said] = [line for line in fuselab("plan", "trial").output.splitlines() if "Each run" in line]
        assert said.endswith("starts and stops etcd: about 1 s, 14 s of what is to go."), (
            "12 blocks, 2 verifying runs"
        )

    @pytest.mark.parametrize(
        "asked", ["check trial", "plan trial", "doctor trial", "check targets/demo"], ids=lambda asked: asked
    )
    def test_a_revision_that_the_target_is_not_known_to_fit_is_a_note(
        self, fuselab, repository: Path, asked: str
    ):
        source = repository / "targets" / "demo"
        (source / "target.yaml").write_text(f"{(source / 'target.yaml').read_text()}fits: {{until: v1}}\n")
        somebody = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
        for argv in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "1"], ["tag", "v1"],
                      ["commit", "-q", "--allow-empty", "-m", "2"]):  # fmt: skip
            subprocess.run(["git", "-C", str(source), *somebody, *argv], check=True)
        said = " ".join(fuselab(*asked.split()).output.split())
        assert "target demo" in said
        assert "target.yaml is known to fit what came until v1, and this is" in said

    def test_what_has_no_store_says_nothing_of_one(self, fuselab):
        assert "Each run of" not in fuselab("plan", "trial").output

    def test_which_points_of_a_long_sweep_are_counted_and_why_the_others_are_not(
        self, fuselab, repository: Path
    ):
        written = repository / "experiments" / "trial.yaml"
        swept = "{fio: {rw: write, bs: 4k, size: 1m}, sweep: {over: fio.numjobs, values: [1, 2, 4, 8]}}"
        written.write_text(
            f"name: trial\ntarget: demo\nvariants: {{a: {{}}, b: {{env: {{A: b}}}}}}\nworkloads: {{w: {swept}}}\n"
        )
        said = " ".join(fuselab("plan", "trial").output.split())
        assert "Counted of w-numjobs-1: the load as it is timed." in said
        why = "all of w would take 1 min 36 s, so its first and its last point are counted (`work: true` counts it)"
        assert f"Not counted of w-numjobs-2, w-numjobs-4: {why}." in said

    def test_of_thirty_variants_under_six_loads_what_decides_fits_on_a_screen(
        self, fuselab, repository: Path
    ):
        variants = ", ".join(f"v{n}: {{env: {{A: b{n}}}}}" for n in range(30))
        loads = ", ".join(
            f"w{n}: {{fio: {{rw: write, bs: {n}k, size: 1m, runtime: 3s}}}}" for n in range(1, 7)
        )
        (repository / "experiments" / "trial.yaml").write_text(
            f"name: trial\ntarget: demo\nvariants: {{{variants}}}\nworkloads: {{{loads}}}\n"
            "profilers: [perf-oncpu, trace-chrome]\n"
        )
        lines = fuselab("plan", "trial").output.splitlines()
        assert len(lines) < 40
        assert lines[1].startswith("To go: about ")
        assert "Compares 29 contrasts under 6 loads, by write.bw, in 12 blocks each." in lines
        assert any("captures" in line and "perf-oncpu: 180 of them" in line for line in lines)
        assert len(fuselab("plan", "trial", "--all").output.splitlines()) > 360

    @pytest.mark.parametrize(
        ("design", "blocks"),
        [
            ("", 8),  # of 2 variants, 3 s and a ramp of 0.3 s each
            ("design: slices\nslice: 100ms\n", 9),  # 32 rounds of 2 x 100 ms, as whole groups of them
            ("design: slices\nslice: 300ms\n", 8),  # 12 rounds
        ],
    )
    def test_a_budget_of_load_says_how_many_blocks_there_are(self, fuselab, repository, design, blocks):
        said = self.said(fuselab, repository, f"{design}budget: 58s\n", "runtime: 3s")
        assert f"in {blocks} blocks each (`budget` of 58 s)." in said

    @pytest.mark.parametrize(
        ("text", "load", "words"),
        [
            ("design: slices\n", "runtime: 3s", "Loads take turns of 50 ms (`design: slices`)"),
            ("", "runtime: 3s", "All loads could take turns: `design: slices`."),
            ("", "runtime: 3s, rate: 1m", "w cannot take turns, for `rate` goes by a time that"),
        ],
    )
    def test_which_design_it_is_and_why(self, fuselab, repository, text, load, words):
        assert words in self.said(fuselab, repository, text, load)

    def said(self, fuselab, repository: Path, text: str, load: str) -> str:
        (repository / "experiments" / "trial.yaml").write_text(
            "name: trial\ntarget: demo\nvariants: {old: {}, new: {env: {A: b}}}\n"
            f"{text}workloads: {{w: {{fio: {{rw: write, bs: 4k, size: 1m, {load}}}}}}}\n"
        )
        return " ".join(fuselab("plan", "trial").output.split())

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            ("variants: {old: {}}\nprofilers: [perf-oncpu]\n", "Compares nothing: there is one variant."),
            ("variants: {old: {}}\ncontrol: true\n", "Compares nothing: the baseline against itself"),
            ("variants: {old: {}, new: {env: {A: b}}}\nblocks: 3\n", "Compares nothing for sure: blocks: 3"),
        ],
    )
    def test_that_nothing_is_compared_is_said_among_the_first(self, fuselab, repository: Path, text, why):
        load = "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 3s}}}\n"
        (repository / "experiments" / "trial.yaml").write_text(f"name: trial\ntarget: demo\n{text}{load}")
        said = fuselab("plan", "trial").output
        assert why in " ".join(said.partition("done")[0].split())
        assert "Found in four of five" not in said

    def test_a_broken_file_is_told_and_ends_with_1(self, fuselab, repository: Path):
        (repository / "experiments" / "trial.yaml").write_text("name: trial\nblokcs: 3\n")
        done = fuselab("plan", "trial")
        assert done.exit_code == 1
        assert "did you mean 'blocks'?" in done.output


class TestShow:
    def test_one_run(self, fuselab, repository: Path):
        put(
            repository / "results" / "trial" / "x" / "run.json",
            record(status="void", reason="too busy", marks=("m",)),
        )
        done = fuselab("show", "trial/x")
        assert done.exit_code == 0
        for word in ("void", "too busy", "demo mount /m", "load 3 s", "block 1"):
            assert word in done.output

    def test_a_folder_of_runs_is_a_list(self, fuselab, repository: Path):
        for name, status in (("a", "ok"), ("b", "failed")):
            file = "run.json" if status == "ok" else "attempt.json"
            put(repository / "results" / "trial" / name / file, record(status=status))
        lines = fuselab("show", "results/trial").output.splitlines()
        assert [line.split()[0] for line in lines[1:] if line[0] != " "] == ["ok", "failed"]

    def test_json_is_the_record(self, fuselab, repository: Path):
        put(repository / "results" / "trial" / "x" / "run.json", record())
        assert msgspec.json.decode(fuselab("show", "--json", "trial/x").output, type=RunRecord) == record()

    def test_nothing_there(self, fuselab):
        done = fuselab("show", "nowhere")
        assert done.exit_code == 1
        assert "there is no run at nowhere" in done.output


def killed_state(root: Path) -> None:
    """What a run leaves below `root` that is killed."""
    hold = (
        "import os, pathlib, sys; from fuselab.rig.state import state_folder\n"
        "with state_folder(pathlib.Path(sys.argv[1]), pathlib.Path('/nowhere')): os.kill(os.getpid(), 9)"
    )
    subprocess.run([sys.executable, "-c", hold, str(root)], check=False)


class TestClean:
    @pytest.fixture
    def results(self, repository: Path) -> Path:
        """What the experiment asks for, and one leftover of each kind."""
        (repository / "targets" / "lonely" / "target.yaml").unlink()
        plan = make_plan(load_experiment(repository / "experiments" / "trial.yaml", repository))
        for path in named_paths(plan):
            (repository / path / "001").mkdir(parents=True)
        home = repository / "results"
        for folder in plan.builds:
            put(home / "builds" / folder / "build.json", {})
        for name in (
            "trial/blocks/w/0123456789ab/001",
            "trial/costs/w/ba9876543210/001",
            "trial/work/w/cccccccccccc/001",
            "trial/looks/w/aaaaaaaaaaaa",
            "trial/attempts/x/1",
            "builds/demo/old-1",
        ):
            (home / name).mkdir(parents=True)
        killed_state(home / "state")
        (home / "trial" / ".run.json.7.half").touch()
        return home

    def test_nothing_to_remove_is_said(self, fuselab):
        assert fuselab("clean").output == "nothing is left over\n"

    def test_it_lists_and_removes_nothing(self, fuselab, results: Path):
        before = sorted(results.rglob("*"))
        done = fuselab("clean")
        planted = (
            "0123456789ab",
            "ba9876543210",
            "cccccccccccc",
            "aaaaaaaaaaaa",
            "attempts/x",
            "demo/old-1",
            "state/fuselab-",
        )
        for name in (*planted, ".run.json.7.half"):
            assert name in done.output
        assert sorted(results.rglob("*")) == before

    def test_without_the_compiler_nothing_that_it_makes_is_called_left_over(
        self, fuselab, results: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("fuselab.building.request._rustc_version", lambda *_: "")
        said = fuselab("clean", "--yes").output
        assert "experiments/trial.yaml is compiled with rustc, which is not found here: its results" in said
        assert (results / "trial/blocks/w/0123456789ab/001").is_dir()
        assert (results / "builds/demo/old-1").is_dir()

    def test_yes_removes_what_no_experiment_asks_for(self, fuselab, results: Path, repository: Path):
        plan = make_plan(load_experiment(repository / "experiments" / "trial.yaml", repository))
        assert fuselab("clean", "--yes").exit_code == 0
        assert all_leftovers({"trial": plan}, {}, repository) == []
        assert all((repository / path).is_dir() for path in named_paths(plan))
        assert all((results / "builds" / folder).is_dir() for folder in plan.builds)
        assert not (results / "trial" / "attempts").exists()

    def test_a_broken_experiment_keeps_its_builds(self, fuselab, results: Path, repository: Path):
        (repository / "experiments" / "trial.yaml").write_text("name: trial\nblokcs: 3\n")
        fuselab("clean", "--yes")
        assert (results / "builds" / "demo" / "old-1").is_dir()
        assert (results / "trial" / "blocks" / "w" / "0123456789ab").is_dir()

    def test_nothing_is_removed_while_snakemake_runs(self, fuselab, results: Path, repository: Path):
        import fcntl

        (repository / ".snakemake").mkdir()
        with (repository / ".snakemake" / "fuselab.flock").open("a") as guard:
            fcntl.flock(guard, fcntl.LOCK_SH)
            done = fuselab("clean", "--yes")
        assert done.exit_code == 1
        assert "a snakemake is running here" in done.output
        assert (results / "trial" / "attempts").exists()

    def test_the_state_of_a_living_run_is_no_leftover(self, fuselab, repository: Path):
        with state_folder(repository / "results" / "state", repository) as place:
            assert fuselab("clean", "--yes").output == "nothing is left over\n"
            assert place.data.is_dir()

    def test_what_others_have_put_there_stays(self, fuselab, results: Path, tmp_path: Path):
        """By links, by names of their own, and what an older version's state looks like."""
        precious = tmp_path / "precious"
        for name in ("1", "0123456789ab", "001"):
            (precious / name).mkdir(parents=True)
        links = ("trial/attempts/y", "trial/blocks/x", "builds/other", "trial/diffs/x")
        (results / "trial/diffs").mkdir(exist_ok=True)
        for link in links:
            (results / link).symlink_to(precious)
        theirs = (
            "trial/blocks/w/notes",
            "trial/attempts/mine/notes",
            "builds/demo/mine/x",
            "state/my-database",
        )
        for name in theirs:
            (results / name).mkdir(parents=True)
        (results / "state" / "0a1b2c3d").mkdir()
        (results / "state" / "0a1b2c3d" / "lock").touch()
        (results / "trial" / ".mine.half").touch()
        said = fuselab("clean", "--yes").output
        assert "results/state/0a1b2c3d has no mark of fuselab's" in said
        assert sorted(path.name for path in precious.iterdir()) == ["001", "0123456789ab", "1"]
        for name in (*links, *theirs, "state/0a1b2c3d/lock", "trial/.mine.half"):
            assert (results / name).exists(), name

    def test_what_was_measured_on_a_night_that_is_kept_goes_and_the_night_stays(
        self, fuselab, nights: dict[str, Path]
    ):
        said = fuselab("clean").output
        group = said.partition("measured on a night whose figures and profiles are kept")[2]
        assert str(nights["2026-03-01"].relative_to(nights["home"].parents[1])) in group
        assert fuselab("clean", "--yes").exit_code == 0
        assert not nights["2026-03-01"].exists()
        assert checksums.fault(nights["home"] / "history/2026-03-01") is None

    def test_a_night_that_goes_on_keeps_what_it_has(self, fuselab, nights: dict[str, Path]):
        """Today's, and the one that was begun last: a night that is killed goes on with the next call."""
        for _ in range(2):
            assert fuselab("clean", "--yes").exit_code == 0
            assert nights["today"].is_dir()
            assert nights["2026-03-03"].is_dir()
        assert not nights["2026-03-02"].exists(), "it was neither kept nor begun last"

    def test_what_a_night_left_that_was_killed_while_it_was_kept_goes(self, fuselab, nights: dict[str, Path]):
        half = nights["home"] / "history/.2026-03-02.half"
        half.mkdir()
        assert "a night that was killed while it was kept" in fuselab("clean", "--yes").output
        assert not half.exists()

    @pytest.mark.parametrize("damage", ["metrics.csv", "plan.json"])
    def test_where_what_was_kept_is_damaged_the_measurements_stay(
        self, fuselab, nights: dict[str, Path], damage: str
    ):
        (nights["home"] / "history/2026-03-01" / damage).write_text("{")
        said = fuselab("clean", "--yes").output
        assert f"history/2026-03-01/{damage} is not what was recorded" in said
        assert "what was measured on that night stays" in said
        assert nights["2026-03-01"].is_dir()

    @pytest.fixture
    def nights(self, repository: Path) -> dict[str, Path]:
        """Blocks of four nights by their date: one that is kept, one that was given up, the last begun, today's."""
        (repository / "targets" / "lonely" / "target.yaml").unlink()
        loaded = load_experiment(repository / "experiments" / "trial.yaml", repository)
        home = Results(repository).experiment("trial")
        today = str(datetime.date.today())
        folders = {"home": home.folder}
        for night in ("2026-03-01", "2026-03-02", "2026-03-03", today):
            plan = make_plan(of_night(loaded, night))
            load = plan.experiment.workloads[0].name
            folder = home.blocks(load, plan.timed_spec(load))
            (folder / "001").mkdir(parents=True)
            folders["today" if night == today else night] = folder
            if night == "2026-03-01":
                kept = home.night(night)
                put(kept.plan, describe(plan))
                put(kept.metrics, [])
                put(kept.summary, {})
                checksums.write_sums(kept.folder)
            elif night != today:
                home.night_log(night).parent.mkdir(exist_ok=True)
                home.night_log(night).touch()
        return folders

    def test_alone_is_alone(self, repository: Path):
        with alone(repository) as first, alone(repository) as second:
            assert (first, second) == (True, False)


class TestTry:
    def test_it_writes_two_files_that_can_be_read(self, fuselab, repository: Path, checkout: Path):
        (repository / "targets" / "directory").symlink_to(checkout / "targets" / "directory")
        done = fuselab("try", "--only-write", "--", "true", "-f", "--data={state}", "{mountpoint}")
        assert done.exit_code == 0, done.output
        target = yaml.safe_load((repository / "targets" / "try-true" / "target.yaml").read_text())
        assert target["mount"]["argv"] == ["{binary}", "-f", "--data={state}", "{mountpoint}"]
        experiment = yaml.safe_load((repository / "experiments" / "try-true.yaml").read_text())
        assert list(experiment["variants"]) == ["directory", "true"]
        assert (
            fuselab("try", "--only-write", "--", "true", "-f", "--data={state}", "{mountpoint}").exit_code
            == 0
        )

    def test_what_nobody_edited_is_written_anew(self, fuselab, repository: Path, checkout: Path):
        (repository / "targets" / "directory").symlink_to(checkout / "targets" / "directory")
        written = repository / "targets" / "try-true" / "target.yaml"
        assert fuselab("try", "--only-write", "--", "true", "{mountpoint}").exit_code == 0
        again = fuselab("try", "--only-write", "--runtime", "2", "--", "true", "-f", "{mountpoint}")
        assert again.exit_code == 0, again.output
        assert yaml.safe_load(written.read_text())["mount"]["argv"] == ["{binary}", "-f", "{mountpoint}"]
        edited = written.read_text().replace("-f", "-d")
        written.write_text(edited)
        refused = fuselab("try", "--only-write", "--", "true", "{mountpoint}")
        assert refused.exit_code == 1
        assert "targets/try-true/target.yaml is there and says something else" in refused.output
        assert "choose another --name" in refused.output
        assert written.read_text() == edited

    @pytest.mark.parametrize("name", ["a b", "../a", "-x", "a-vs-b"])
    def test_a_bad_name_is_said_in_one_sentence_and_nothing_is_written(self, fuselab, repository: Path, name):
        before = sorted(repository.rglob("*"))
        done = fuselab("try", f"--name={name}", "--only-write", "--", "true", "{mountpoint}")
        assert done.exit_code == 1
        assert done.output.startswith(f"fuselab: '{name}' cannot be a name: letters, digits")
        assert len(done.output.splitlines()) == 1
        assert sorted(repository.rglob("*")) == before

    @pytest.mark.parametrize("failed", [True, False])
    def test_a_variant_that_failed_is_told_with_its_last_words(
        self, fuselab, repository: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch, failed
    ):
        (repository / "targets" / "directory").symlink_to(checkout / "targets" / "directory")
        results = repository / "results" / "try-true"
        results.mkdir(parents=True)
        note = "failed its verifying run: exit code 1. Its last words:\n    no such folder"
        row = Comparison("try-true", "seq-write", "directory", "true", "write.bw", verdict="slower")
        row = replace(row, verdict="failed", note=note) if failed else row
        write_rows(results / "comparisons.csv", Comparison, [row, row])
        said = SummaryRow(
            "seq-write", "directory", "true", "write.bw", "B/s", "higher", "slower", 0.9, 0.88, 0.92, 0.95, 12, False,
            "`true` writes 10 % slower than `directory`.",
        )  # fmt: skip
        write_json(results / "summary.json", Summary("try-true", "", "", "", (), 0.05, 12, 0, (), (said,)))
        monkeypatch.setattr("fuselab.commands.live.measure", lambda root, plans: None)
        done = fuselab("try", "--", "true", "{mountpoint}")
        assert done.exit_code == (1 if failed else 0)
        assert "the report: " in done.output
        assert ("true writes 10 % slower than directory." in done.output) == (not failed)
        assert done.output.count("no such folder") == int(failed)
        assert ("fuselab: true failed its verifying run: exit code 1." in done.output) == failed

    def test_a_path_means_what_it_means_where_one_stands(
        self, fuselab, repository: Path, checkout: Path, monkeypatch: pytest.MonkeyPatch
    ):
        (repository / "targets" / "directory").symlink_to(checkout / "targets" / "directory")
        program = repository / "build" / "myfs"
        program.parent.mkdir()
        program.touch(mode=0o755)
        monkeypatch.chdir(program.parent)
        done = fuselab("try", "--only-write", "--", "./myfs", "mount", "--in=./x", "{mountpoint}")
        assert done.exit_code == 0, done.output
        assert "what it writes stays there" in done.output
        target = yaml.safe_load((repository / "targets" / "try-myfs" / "target.yaml").read_text())
        assert target["build"]["installed"]["binary"] == str(program)
        assert target["mount"]["argv"] == ["{binary}", "mount", "--in=./x", "{mountpoint}"]

    def test_what_a_program_cannot_have_is_left_out_and_said(
        self, fuselab, repository: Path, checkout: Path, tmp_path: Path
    ):
        """A section of Go's linker is what tells a Go program, here as anywhere."""
        (repository / "targets" / "directory").symlink_to(checkout / "targets" / "directory")
        program = tmp_path / "gofs"
        source = 'const char table[16] __attribute__((section(".gopclntab"), used)) = {0}; int main(void) {return 0;}'
        subprocess.run(["gcc", "-x", "c", "-", "-o", program], input=source, text=True, check=True)
        done = fuselab("try", "--only-write", "--", str(program), "{state}", "{mountpoint}")
        assert done.exit_code == 0, done.output
        assert f"note: jemalloc-heap is left out: {program} is a Go program" in done.output
        experiment = yaml.safe_load((repository / "experiments" / "try-gofs.yaml").read_text())
        assert experiment["profilers"] == [["fuse-requests", "perf-offcpu", "perf-oncpu"], "syscalls"]

    def test_preparations_run_before_the_mount_and_not_with_it(
        self, fuselab, repository: Path, checkout: Path
    ):
        (repository / "targets" / "directory").symlink_to(checkout / "targets" / "directory")
        steps = ["--prepare", "mkdir {state}/a", "--prepare", "sh -c 'echo key > {state}/b c'"]
        done = fuselab("try", "--only-write", *steps, "--", "true", "{state}", "{mountpoint}")
        assert done.exit_code == 0, done.output
        target = yaml.safe_load((repository / "targets" / "try-true" / "target.yaml").read_text())
        assert target["mount"]["prepare"] == [["mkdir", "{state}/a"], ["sh", "-c", "echo key > {state}/b c"]]
        assert "a --prepare" not in done.output

    def test_a_text_for_a_shell_is_said_to_run_at_each_mount(self, fuselab, repository: Path, checkout: Path):
        (repository / "targets" / "directory").symlink_to(checkout / "targets" / "directory")
        text = "mkdir -p {state}/a && exec myfs {state}/a {mountpoint}"
        done = fuselab("try", "--only-write", "--name=shell", "--", "sh", "-c", text)
        assert done.exit_code == 0, done.output
        assert "`sh -c` runs all of its text again when it is mounted again" in done.output

    @pytest.mark.parametrize(
        ("step", "said"),
        [("mkdir {stat}", "did you mean {state}?"), ("'", "No closing quotation"), ("", "is no command")],
    )
    def test_a_preparation_that_cannot_work_is_said_first(self, fuselab, repository: Path, step, said):
        done = fuselab("try", "--only-write", "--prepare", step, "--", "true", "{mountpoint}")
        assert done.exit_code == 1
        assert said in done.output
        assert not list(repository.glob("targets/try-*"))

    def test_no_blocks_are_refused_before_anything_is_written(self, fuselab, repository: Path):
        assert fuselab("try", "--blocks", "0", "--", "true", "{mountpoint}").exit_code == 2
        assert not (repository / "targets" / "try-true").exists()

    @pytest.mark.parametrize(
        ("argv", "said"),
        [
            (["true"], "say with {mountpoint}"),
            (["true", "{mountpont}"], "did you mean {mountpoint}?"),
            (["no-such-program", "{mountpoint}"], "is not installed"),
        ],
    )
    def test_what_cannot_work_is_said_before_anything_is_written(self, fuselab, repository: Path, argv, said):
        done = fuselab("try", "--", *argv)
        assert done.exit_code == 1
        assert said in done.output
        assert not list(repository.glob("targets/try-*"))


class TestDoctor:
    def test_every_line_is_ok_or_says_what_to_do(self, fuselab, repository: Path):
        done = fuselab("doctor", "trial", "--json")
        lines = json.loads(done.output)
        assert done.exit_code == any(line["level"] == "bad" for line in lines)
        assert {"FUSE", "namespaces", "fio", "load", "disk", "target demo"} <= {
            line["what"] for line in lines
        }
        told = [line for line in lines if line["level"] == "bad"]
        assert all(line["mend"] or ":" in line["text"] for line in told)

    def test_a_missing_service_is_bad_with_its_package(
        self, fuselab, repository: Path, monkeypatch: pytest.MonkeyPatch
    ):
        service = repository / "services" / "etcd.yaml"
        service.write_text(service.read_text().replace("[etcd,", "[no-such-server,"))
        (repository / "experiments" / "stored.yaml").write_text(
            "name: stored\ntarget: demo\nbackend: etcd\nvariants: {a: {}, b: {options: {cache: 1}}}\n"
            "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m}}}\n"
        )
        done = fuselab("doctor", "stored")
        assert done.exit_code == 1
        assert "`no-such-server` is not installed" in done.output
        assert "apt-get install etcd-server" in done.output


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (4.2e-8, "42 ns"),
        (4.2e-5, "42 µs"),
        (0.0042, "4.2 ms"),
        (-0.0042, "-4.2 ms"),
        (3.2, "3.2 s"),
        (42, "42 s"),
        (250, "4 min 10 s"),
        (7500, "2 h 5 min"),
    ],
)
def test_durations_as_people_say_them(seconds, said):
    assert words.duration(seconds) == said


@pytest.mark.parametrize(("count", "said"), [(512, "512 B"), (3_100_000, "3.1 MB"), (2e9, "2.0 GB")])
def test_sizes_as_people_say_them(count, said):
    assert words.size(count) == said


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("psi_cpu_us", 1500, "1.5 ms"),
        ("steal_share", 0.012, "1.2 %"),
        ("disk_free_bytes", 10**9, "1.0 GB"),
        ("temperature_c", None, "unavailable"),
        ("loadavg_1m", 7.74109375, "7.741"),
        ("kernel", "Linux", "Linux"),
    ],
)
def test_figures_carry_the_unit_of_their_name(name, value, said):
    assert words.figure(name, value) == said


class TestQuery:
    def test_the_tables_are_listed_for_people_and_for_scripts(self, fuselab, repository: Path):
        (repository / "results" / "trial").mkdir(parents=True)
        (repository / "results" / "trial" / "metrics.csv").write_text(",".join(columns(Sample)) + "\n")
        found = json.loads(fuselab("query", "trial", "--json").output)
        [metrics] = [one for one in found if one["table"] == "metrics"]
        assert metrics["rows"] == 0
        assert metrics["columns"]["value"] == "DOUBLE"
        assert "metrics: " in fuselab("query", "trial").output
        listed = list(csv.DictReader(fuselab("query", "trial", "--csv").output.splitlines()))
        assert {"table": "metrics", "column": "value", "type": "DOUBLE"} in listed

    def test_an_answer_is_csv_for_whoever_reads_that_with_figures_as_they_are(
        self, fuselab, repository: Path
    ):
        (repository / "results" / "trial").mkdir(parents=True)
        sql = "select 'a, \"b\"' said, 1234567.891::double value, null nothing, '=cmd' formula"
        done = fuselab("query", "trial", sql, "--csv")
        assert list(csv.DictReader(done.output.splitlines())) == [
            {"said": 'a, "b"', "value": "1234567.891", "nothing": "", "formula": "'=cmd"}
        ]
        assert json.loads(fuselab("query", "trial", sql, "--json").output)[0]["value"] == 1234567.891
        assert fuselab("query", "trial", sql, "--json", "--csv").exit_code == 1

    @pytest.mark.parametrize("form", [(), ("--csv",), ("--json",)])
    def test_a_table_that_no_capture_fills_is_named_with_the_profiler_that_would(
        self, fuselab, repository: Path, form
    ):
        (repository / "results" / "trial").mkdir(parents=True)
        done = fuselab("query", "trial", "select name, count(*) calls from spans group by name", *form)
        said = "fuselab: `spans` is empty: no capture of trial gave any; trace-chrome would (docs/profilers.md)\n"
        assert done.stderr == said
        assert form or not done.stdout, "no heading without a row"
        done = fuselab("query", "trial", "select count(*) n from metrics", *form)
        assert "nothing is measured of trial yet (fuselab run trial)" in done.stderr
        assert (
            fuselab("query", "trial", "select 1 one where false", *form).stderr
            == "fuselab: no row answers this\n"
        )

    SQL = (
        "select 'a::rather::long::name::of::a::function::that::nobody::wants::broken' name, 1172172171 total_ns, "
        "2500.0 \"sum(dur_us)\", 3145728 held_bytes, 1234567 calls, 0.25 cpu_share, 98000000.0 value, 'B/s' unit"
    )

    def test_for_people_figures_have_their_units_and_a_row_of_a_pipe_is_one_line(
        self, fuselab, repository: Path
    ):
        (repository / "results" / "trial").mkdir(parents=True)
        head, line = fuselab("query", "trial", self.SQL).output.splitlines()
        assert re.split(r"  +", head.strip())[1:3] == ["total_ns", "sum(dur_us)"]
        assert re.split(r"  +", line.strip()) == [
            "a::rather::long::name::of::a::function::that::nobody::wants::broken",
            "1.17 s", "2.5 ms", "3.1 MB", "1,234,567", "25.0 %", "98.0 MB/s", "B/s",
        ]  # fmt: skip
        assert '"total_ns": 1172172171' in fuselab("query", "trial", self.SQL, "--json").output

    def test_on_a_narrow_terminal_no_word_is_broken_and_nothing_is_coloured_that_should_not(
        self, repository: Path
    ):
        (repository / "results" / "trial").mkdir(parents=True)
        master, slave = pty.openpty()
        argv = [sys.executable, "-c", "from fuselab.cli import main; main()", "query", "trial", self.SQL]
        env = {**os.environ, "TERM": "xterm", "COLUMNS": "80", "NO_COLOR": "1"}
        subprocess.run(argv, cwd=repository, stdout=slave, stderr=slave, env=env, timeout=60, check=True)
        os.set_blocking(master, False)
        lines = os.read(master, 65536).decode().splitlines()
        assert not any(re.search(r"\x1b\[[0-9;]*3[0-7]m", line) for line in lines)
        lines = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]
        for end in (master, slave):
            os.close(end)
        assert lines[0].split() == [
            "name", "a::rather::long::name::of::a::function::that::nobody::wants::broken",
        ]  # fmt: skip
        assert lines[1] == "total_ns     1.17 s"
        assert max(map(len, lines)) <= 80

    @pytest.mark.parametrize("width", [50, 60])
    def test_plan_keeps_its_figures_whole_where_it_is_narrow(self, width: int):
        from fuselab.commands.plan import _parts
        from fuselab.workflow.estimate import Part

        part = Part("work blocks", "writers-numjobs-16", 10, 96, 12.6, 0, True)
        out = io.StringIO()
        Console(width=width, file=out).print(_parts([part], 6, width))
        first, *others = [line for line in out.getvalue().splitlines()[1:] if line.strip()]
        assert first.startswith("work blocks")
        assert " ".join(first.split()[-7:]) == "10 of 96 13 s 18 min"
        names = first.removeprefix("work blocks").split()[0] + "".join(line.strip() for line in others)
        assert names == "writers-numjobs-16"
        assert max(map(len, (first, *others))) <= width

    def test_plan_breaks_names_of_builds_at_hyphens_alone(self):
        from fuselab.commands.plan import _parts
        from fuselab.workflow.estimate import Part

        name = "demofs/worktree-jemalloc-profiling-tokio_unstable-5261e83f-bench-demofs_bench"
        part = Part("build", name, 0, 1, 1.0, 0, True)
        out = io.StringIO()
        console = Console(width=80, file=out)
        console.print(_parts([part], 6, 80))
        said = [line for line in out.getvalue().splitlines() if line.strip()]
        assert max(map(len, said)) <= 80
        words = [line[len("build") : 55].split()[0] for line in said[1:]]
        assert "".join(words) == name
        assert all(word.endswith("-") for word in words[:-1])
