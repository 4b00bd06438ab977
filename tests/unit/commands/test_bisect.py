"""`fuselab bisect`: what it refuses, in words and with nothing left; and the pairs that it writes."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Literal

import pytest
import yaml

from fuselab.checksums import fault, write_sums
from fuselab.commands import bisect, bisecting
from fuselab.experiment.line import line
from fuselab.experiment.loading import load_experiment
from fuselab.files import write_json
from fuselab.project import experiment_file, experiments
from fuselab.records.verified import Verified, read_verified

EXPERIMENT = """\
name: trial
target: demo
options: {cache: 64m}
variants: {old: {}, new: {options: {cache: 32m}, env: {MODE: 007}}}
workloads:
  w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 3s}}
  curve: {fio: {rw: read, size: 1m}, sweep: {over: fio.bs, values: [4k, 8k]}}
profilers: [perf-oncpu, criterion-flamegraph]
compare: {threshold: 3%}
seed: 12
"""


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=n", "-c", "user.email=e@example.org")
    done = subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def revisions(repository: Path) -> Path:
    """The little repository as a checkout: main with three commits and a merge, and a branch beside it."""
    git(repository, "init", "--quiet", "--initial-branch=main")
    (repository / "experiments/trial.yaml").write_text(EXPERIMENT.replace(", criterion-flamegraph", ""))
    git(repository, "add", ".")
    for number in range(3):
        git(repository, "commit", "--quiet", "--allow-empty", "-m", f"number {number}")
        git(repository, "tag", f"v{number}")
    git(repository, "checkout", "--quiet", "-b", "side", "v0")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "beside")
    git(repository, "checkout", "--quiet", "main")
    git(repository, "merge", "--quiet", "--no-ff", "-m", "merged", "side")
    git(repository, "tag", "v3")
    git(repository, "checkout", "--quiet", "-b", "other", "v0")
    git(repository, "commit", "--quiet", "--allow-empty", "-m", "elsewhere")
    git(repository, "checkout", "--quiet", "main")
    return repository


class TestWhatItRefuses:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["trial", "--good", "v9", "--bad", "main"], "--good: no revision 'v9' in the source of 'demo'"),
            (["trial", "--good", "v1", "--bad", "mian"], "did you mean 'main'"),
            (["trial", "--good", "v1", "--bad", "worktree"], "--bad worktree is no commit: commit what is"),
            (["trial", "--good", "v3", "--bad", "main"], "are one commit"),
            (
                ["trial", "--good", "v2", "--bad", "v0"],
                "no ancestor of --bad v0: they are the other way round",
            ),
            (["trial", "--good", "v1", "--bad", "other"], "they part at"),
            (["trial", "--good", "v0", "--bad", "v2", "--metric", "write.bww"], "did you mean 'write.bw'"),
            (
                ["trial", "--good", "v0", "--bad", "v2", "--metric", "read.bw", "--workload", "w"],
                "no workload here",
            ),
            (
                ["trial", "--good", "v0", "--bad", "v2", "--counter", "write.bw"],
                "is timed: --metric write.bw",
            ),
            (
                ["trial", "--good", "v0", "--bad", "v2", "--metric", "work.syscalls_per_op"],
                "is counted: --counter",
            ),
            (
                ["trial", "--good", "v0", "--bad", "v2", "--counter", "work.pwrit64_per_op"],
                "work.pwrite64_per_op",
            ),
            (
                ["trial", "--good", "v0", "--bad", "v2", "--metric", "a", "--counter", "b"],
                "--metric or --counter",
            ),
            (
                ["trial", "--good", "v0", "--bad", "v2", "--workload", "curve"],
                "no load 'curve' that is one point",
            ),
            (["trial", "--good", "v0", "--bad", "v2", "--variant", "nwe"], "did you mean 'new'"),
            (["trial", "--good", "v0", "--bad", "v2", "--certainty", "95"], "a share from 50%"),
            (["trial", "--good", "v0", "--bad", "v2", "--budget", "long"], "write it as 90m or 8h"),
            (["trail", "--good", "v0", "--bad", "v2"], "did you mean 'trial'"),
        ],
    )
    def test_in_words_and_nothing_is_left(self, fuselab, revisions: Path, words, said):
        done = fuselab("bisect", *words)
        assert (done.exit_code, said in done.output) == (3, True), done.output
        assert "Traceback" not in done.output
        assert not list(revisions.glob("results/bisect*"))

    def test_what_is_not_committed_where_it_would_be_missed(self, fuselab, revisions: Path):
        path = revisions / "targets/demo/target.yaml"
        path.write_text(path.read_text() + "# a thought\n")
        done = fuselab("bisect", "trial", "--good", "v0", "--bad", "main")
        assert (done.exit_code, "changes that no commit has" in done.output) == (3, True), done.output
        assert "git stash" in done.output

    def test_a_target_without_commits(self, fuselab, revisions: Path):
        text = EXPERIMENT.replace("target: demo", "target: floor").replace("options: {cache: 64m}\n", "")
        text = text.replace("{options: {cache: 32m}, env: {MODE: 007}}", "{env: {MODE: 1}}")
        (revisions / "experiments/trial.yaml").write_text(
            text.replace("[perf-oncpu, criterion-flamegraph]", "[]")
        )
        done = fuselab("bisect", "trial", "--good", "v0", "--bad", "main")
        assert (done.exit_code, "'floor' has no source in git" in done.output) == (3, True), done.output

    def test_a_source_that_is_in_no_git(self, fuselab, revisions: Path):
        shutil.rmtree(revisions / ".git")
        done = fuselab("bisect", "trial", "--good", "v0", "--bad", "main")
        assert (done.exit_code, "has no source in git" in done.output) == (3, True), done.output


def test_the_line_goes_along_first_parents_that_have_the_good_commit(revisions: Path):
    target = load_experiment(revisions / "experiments/trial.yaml", revisions).targets["demo"]
    main = [git(revisions, "rev-parse", rev) for rev in ("v0", "v1", "v2", "v3")]
    assert list(line(target, "v0", "main")) == main
    side = git(revisions, "rev-parse", "side")
    assert list(line(target, "side", "main")) == [side, main[3]], "what the merge brought is one step"


def test_a_pair_is_the_variant_at_two_revisions_under_one_load_beside_its_results(
    fuselab, revisions: Path, monkeypatch: pytest.MonkeyPatch
):
    asked: list[str] = []

    def make(root: Path, first: Path, *others: str, output: int) -> int:
        asked.extend(map(str, (first, *others)))
        return 1

    monkeypatch.setattr(bisecting, "make", make)
    words = ("bisect", "trial", "--good", "v0", "--bad", "v2", "--variant", "new")
    done = fuselab(*words)
    assert (done.exit_code, "it could not be measured; the end of" in done.output) == (3, True), done.output
    good, bad = (git(revisions, "rev-parse", rev) for rev in ("v0", "v2"))
    name = f"bisect-trial-{good[:10]}-{bad[:10]}"
    assert [path.split("/")[1:4] for path in asked] == [[name, "blocks", "w"]] * 12
    path = experiment_file(revisions, name)
    assert path == revisions / "results" / name / f"{name}.yaml"
    written = yaml.safe_load(path.read_text())
    variant = {"target": "demo", "backend": written["variants"][f"at-{good[:10]}"]["backend"]}
    options = {"options": {"cache": "32m"}, "env": {"MODE": "007"}}
    assert written["variants"] == {
        f"at-{rev[:10]}": {**variant, "rev": rev, **options} for rev in (good, bad)
    }
    assert list(written["workloads"]) == ["w"]
    assert (written["blocks"], written["compare"]["primary"], written["seed"]) == ("auto", ["write.bw"], 12)
    assert written["profilers"] == ["perf-oncpu"]
    assert load_experiment(path, revisions).experiment.compare.threshold == pytest.approx(0.03)
    assert name in experiments(revisions)
    assert fuselab("plan", name).exit_code == 0, "it is an experiment like any other"


class TestARevisionIsVerifiedOnce:
    @pytest.fixture
    def pairs(
        self, revisions: Path, monkeypatch: pytest.MonkeyPatch
    ) -> tuple[bisecting.Pair, bisecting.Pair]:
        """Two commits, each against the good end; relative paths are those of the project, as in a bisect's process."""
        monkeypatch.chdir(revisions)
        question = bisect.question("trial", "v0", "v2", None, None, "w", None)
        return bisecting.write_pair(question, 0, 2), bisecting.write_pair(question, 0, 1)

    @staticmethod
    def good_end(pair: bisecting.Pair) -> Path:
        (folder,) = pair.layout.verified(pair.plan.experiment.variants[0].name, pair.workload)
        return pair.root / folder

    def verified(self, pair: bisecting.Pair, status: Literal["ok", "failed"] = "ok") -> Path:
        folder = self.good_end(pair)
        folder.mkdir(parents=True)
        write_json(folder / "verify.json", Verified(pair.plan.experiment.variants[0].name, status))
        write_sums(folder)
        return folder

    def test_for_all_pairs_that_have_it(self, pairs):
        first, second = pairs
        self.verified(first)
        bisecting.bring_verified(second.root, second)
        brought = self.good_end(second)
        assert read_verified(brought).status == "ok"
        assert fault(brought) is None
        assert [path.name for path in brought.parent.iterdir()] == [brought.name]
        assert not (brought.parents[1] / second.plan.experiment.variants[1].name).exists()

    def test_but_not_what_failed_or_was_changed(self, pairs):
        first, second = pairs
        self.verified(first, "failed")
        bisecting.bring_verified(second.root, second)
        assert not self.good_end(second).exists()
        shutil.rmtree(self.good_end(first))
        (self.verified(first) / "verify.json").write_text("{}")
        bisecting.bring_verified(second.root, second)
        assert not self.good_end(second).exists()
