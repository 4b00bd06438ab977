"""`fuselab compare`: what it writes, what it refuses, and how it ends."""

import subprocess
from pathlib import Path

import pytest
import yaml

from fuselab.records.comparison import Comparison
from fuselab.records.table import write_rows


@pytest.fixture
def revisions(repository: Path) -> Path:
    """The little repository as a git checkout with two commits and a branch."""
    git = ["git", "-C", str(repository), "-c", "user.name=n", "-c", "user.email=e@example.org"]
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
    for message in ("one", "two"):
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "--quiet", "--allow-empty", "-m", message], check=True)
    subprocess.run([*git, "branch", "topic/faster"], check=True)
    return repository


def experiment(repository: Path, name: str):
    return yaml.safe_load((repository / "experiments" / f"{name}.yaml").read_text())


class TestWhatItWrites:
    def test_one_revision_stands_against_the_checkout_as_it_is(self, fuselab, revisions: Path):
        done = fuselab("compare", "HEAD~1", "--target", "demo", "--only-write")
        assert done.exit_code == 0, done.output
        written = experiment(revisions, "compare-demo-HEAD-1-worktree")
        assert written["variants"] == {"HEAD-1": {"rev": "HEAD~1"}, "worktree": {"rev": "worktree"}}
        assert list(written["workloads"]) == ["write-128k"]
        assert "fuselab run compare-demo-HEAD-1-worktree" in done.output

    @pytest.mark.parametrize("pair", [("HEAD~1",), ("HEAD~1", "topic/faster")])
    def test_it_says_that_both_sides_are_the_same_source(self, fuselab, revisions: Path, pair):
        call = ("compare", *pair, "--target", "demo", "--only-write", "--name", "mine")
        assert "are the same source: this measures what chance does" in fuselab(*call).stderr
        (revisions / "targets" / "demo" / "new.rs").touch()
        assert ("same source" in fuselab(*call).stderr) == (len(pair) == 2), "what is new is of the checkout"

    def test_two_revisions_loads_and_metrics_are_as_they_were_said(self, fuselab, revisions: Path):
        loads = [
            "--workload",
            "rw=randwrite,bs=4k,size=4m,runtime=2s",
            "--workload",
            "rw=randread,bs=4k,size=4m",
        ]
        more = [
            *loads,
            "--primary",
            "write.iops",
            "--primary",
            "read.iops",
            "--blocks",
            "7",
            "--backend",
            "etcd",
        ]
        done = fuselab(
            "compare", "HEAD~1", "topic/faster", "-t", "demo", "--only-write", "--name", "mine", *more
        )
        assert done.exit_code == 0, done.output
        written = experiment(revisions, "mine")
        assert written["variants"] == {"HEAD-1": {"rev": "HEAD~1"}, "topic-faster": {"rev": "topic/faster"}}
        assert written["workloads"] == {
            "randwrite-4k": {"fio": {"rw": "randwrite", "bs": "4k", "size": "4m", "runtime": "2s"}},
            "randread-4k": {"fio": {"rw": "randread", "bs": "4k", "size": "4m"}},
        }
        assert (written["blocks"], written["backend"]) == (7, "etcd")
        assert written["compare"] == {"primary": ["write.iops", "read.iops"]}

    def test_what_somebody_edited_is_left_alone(self, fuselab, revisions: Path):
        call = ("compare", "HEAD~1", "--target", "demo", "--only-write", "--name", "mine")
        assert fuselab(*call).exit_code == 0
        assert fuselab(*call, "--blocks", "20").exit_code == 0
        path = revisions / "experiments" / "mine.yaml"
        path.write_text(edited := path.read_text().replace("blocks: 20", "blocks: 32"))
        refused = fuselab(*call)
        assert refused.exit_code == 3
        assert "experiments/mine.yaml is there and says something else" in refused.output
        assert path.read_text() == edited


class TestWhatItRefuses:
    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["v9", "-t", "demo"], "v9: no revision 'v9' in the source of 'demo'"),
            (
                ["HEAD", "-t", "demo", "--workload", "rw=wrote,bs=4k,size=4m"],
                "--workload rw=wrote,bs=4k,size=4m: rw: 'wrote' is not a fio access pattern; did you mean 'write'?\n"
                "    write:\n        --workload rw=write,bs=4k,size=4m",
            ),
            (
                ["HEAD", "-t", "demo", "--workload", "rw=write,size=4m", "--workload", "rw=read,bs=4k"],
                "--workload rw=read,bs=4k: a job without a size",
            ),
            (["HEAD", "-t", "demmo"], "--target demmo: unknown target 'demmo'; did you mean 'demo'?"),
            (["HEAD", "-t", "demo", "--blocks", "0"], "write:\n        --blocks 12"),
            (["HEAD", "-t", "demo", "--backend", "nope"], "--backend nope: unknown backend 'nope'"),
            (
                ["HEAD", "-t", "demo", "--primary", "write.p99", "--primary", "write.bx"],
                "write:\n        --primary write.p99 --primary write.bw\n",
            ),
        ],
    )
    def test_at_the_words_that_were_typed_as_no_file_is_kept(self, fuselab, revisions: Path, words, said):
        done = fuselab("compare", *words)
        assert done.exit_code == 3
        assert said in done.output
        assert ".yaml" not in done.output

    def test_and_leaves_an_earlier_experiment_of_that_name_as_it_was(self, fuselab, revisions: Path):
        call = ("compare", "HEAD~1", "--target", "demo", "--only-write", "--name", "mine")
        assert fuselab(*call).exit_code == 0
        path = revisions / "experiments" / "mine.yaml"
        before = path.read_text()
        assert fuselab(*call, "--blocks", "many").exit_code == 3
        assert path.read_text() == before

    @pytest.mark.parametrize(
        ("words", "said"),
        [
            (["v9", "-t", "demo"], "no revision 'v9' in the source of 'demo'"),
            (["HEAD", "-t", "demmo"], "did you mean 'demo'"),
            (["HEAD", "HEAD", "-t", "demo"], "both sides are `HEAD`"),
            (["HEAD", "main", "HEAD~1", "-t", "demo"], "one revision, or two"),
            (["HEAD", "-t", "demo", "--workload", "randwrite"], "`randwrite` is no KEY=VALUE"),
            (["HEAD", "-t", "demo", "--workload", "rw=write,bsize=4k"], "fio knows no option 'bsize'"),
            (["HEAD", "-t", "demo", "--blocks", "many"], "blocks"),
            (["HEAD", "-t", "demo", "--name", "../out"], "'../out' cannot be a name"),
            (["HEAD", "-t", "floor"], "'floor' has no source"),
        ],
    )
    def test_in_words_with_a_code_of_its_own_and_nothing_left(self, fuselab, revisions: Path, words, said):
        before = sorted(revisions.rglob("*.yaml"))
        done = fuselab("compare", *words)
        assert (done.exit_code, said in done.output) == (3, True), done.output
        assert "Traceback" not in done.output
        assert sorted(revisions.rglob("*.yaml")) == before


class TestHowItEnds:
    @pytest.mark.parametrize(
        ("verdict", "plain", "strict"),
        [
            ("slower", 1, 1),
            ("failed", 1, 1),
            ("slower, below threshold", 0, 0),
            ("faster", 0, 0),
            ("no difference shown", 0, 0),
            ("inconclusive", 0, 2),
        ],
    )
    def test_the_exit_code_says_the_verdict(
        self, fuselab, revisions: Path, monkeypatch: pytest.MonkeyPatch, verdict, plain, strict
    ):
        home = revisions / "results" / "mine"
        home.mkdir(parents=True)
        row = Comparison(
            "mine", "write-128k", "HEAD-1", "worktree", "write.bw", "B/s", "higher", 12, 0.91, 0.89, 0.93,
            verdict, "primary",
        )  # fmt: skip
        unnoticed = Comparison(
            "mine", "w", "HEAD-1", "worktree", "write.p99", verdict="slower", family="exploratory"
        )
        counted = Comparison(
            "mine", "w", "HEAD-1", "worktree", "work.fdatasync_per_op", "1", verdict="more work", family="work",
            typical_baseline=0.0, typical=1.0,
        )  # fmt: skip
        write_rows(home / "comparisons.csv", Comparison, [row, unnoticed, counted])
        monkeypatch.setattr("fuselab.commands.live.measure", lambda root, plans, **_: None)
        call = ("compare", "HEAD~1", "-t", "demo", "--name", "mine")
        done = fuselab(*call)
        assert done.exit_code == plain, done.output
        assert verdict in done.output
        assert "-9.0 % (-11.0 to -7.0 %)" in done.output
        assert "counted under w, per operation: 1 more fdatasync (0 to 1)" in done.output
        assert fuselab(*call, "--strict").exit_code == strict

    def test_what_did_not_finish_is_no_verdict(
        self, fuselab, revisions: Path, monkeypatch: pytest.MonkeyPatch
    ):
        monkeypatch.setattr("fuselab.commands.live.measure", lambda root, plans, **_: "no fio here")
        done = fuselab("compare", "HEAD~1", "-t", "demo")
        assert (done.exit_code, done.output.splitlines()[-1]) == (3, "fuselab: no fio here")
