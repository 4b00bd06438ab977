"""`fuselab gate`: its exit codes, what a pull request is told, and whom else it tells."""

import json
import sys
from pathlib import Path

import pytest

from fuselab.files import write_json
from fuselab.records.places import Results
from fuselab.records.summary import Summary, SummaryGuard, SummaryRow

GUARD = "guard: {write.bw: 5%}\n"


def guard(outcome: str, accepted: str = "") -> SummaryGuard:
    return SummaryGuard(
        "w", "old", "new", "write.bw", "higher", 0.05, outcome, 0.9, 0.91, 0.95, "slower",
        f"`new` against `old`: {outcome}.", accepted,
    )  # fmt: skip


def row(verdict: str, accepted: str = "") -> SummaryRow:
    return SummaryRow(
        "w", "old", "new", "write.bw", "B/s", "higher", verdict, 0.9, 0.88, 0.92, 0.95, 12, False,
        f"`new` is {verdict}.", accepted=accepted,
    )  # fmt: skip


def summary(
    *guards: SummaryGuard, rows: tuple[SummaryRow, ...] = (), alarms: tuple[str, ...] = ()
) -> Summary:
    return Summary("trial", "", "", "", (), 0.05, 12, 0, alarms, rows, guards=guards)


@pytest.fixture
def finds(repository: Path, monkeypatch: pytest.MonkeyPatch):
    """Stands for Snakemake: `finds(summary)` is what the next gate measures; None: that it could not."""
    with (repository / "experiments" / "trial.yaml").open("a") as file:
        file.write(GUARD)

    def set_to(found: Summary | None) -> None:
        def make(root, file, *words, output=None):
            if found is not None:
                home = Results(root).experiment("trial")
                home.folder.mkdir(parents=True, exist_ok=True)
                write_json(home.summary, found)
            return int(found is None)

        monkeypatch.setattr("fuselab.commands.gate.make", make)

    return set_to


@pytest.mark.parametrize(
    ("found", "plain", "strict", "told"),
    [
        (summary(guard("holds")), 0, 0, False),
        (summary(guard("could not tell")), 0, 2, False),
        (summary(guard("holds"), alarms=("The control differs.",)), 0, 2, False),
        (summary(guard("holds"), guard("broken")), 1, 1, True),
        (summary(guard("broken"), guard("could not tell")), 1, 1, True),
        (summary(guard("broken", "accepted until 2099-01-01: it is worth it")), 0, 0, False),
        (summary(guard("could not tell", "accepted until 2099-01-01: it is worth it")), 0, 0, False),
        (summary(guard("holds"), rows=(row("slower"),)), 0, 0, True),
        (summary(guard("holds"), rows=(row("failed"),)), 1, 1, True),
        (summary(guard("holds"), rows=(row("slower", "accepted"),)), 0, 0, False),
        (summary(guard("holds"), rows=(row("inconclusive"),)), 0, 0, False),
    ],
)
def test_the_exit_code_and_the_words(fuselab, finds, found, plain, strict, told):
    finds(found)
    done = fuselab("gate", "trial")
    assert (done.exit_code, bool(done.stdout)) == (plain, told), done.output
    assert fuselab("gate", "trial", "--strict").exit_code == strict
    for each in found.guards:
        assert each.sentence.replace("`", "") in done.stderr


def test_a_comment_goes_to_its_file_and_an_old_one_does_not_stay(fuselab, finds, tmp_path: Path):
    file = tmp_path / "comment.md"
    finds(summary(guard("broken")))
    done = fuselab("gate", "trial", "--comment", str(file))
    assert (done.exit_code, done.stdout) == (1, "")
    assert "- **broken** `new` against `old`: broken." in file.read_text()
    finds(summary(guard("holds")))
    assert fuselab("gate", "trial", "--comment", str(file)).exit_code == 0
    assert not file.exists()
    file.write_text("of yesterday")
    finds(None)
    assert fuselab("gate", "trial", "--comment", str(file)).exit_code == 3
    assert not file.exists()


def test_what_cannot_be_gated_is_said_before_anything_runs(fuselab, repository: Path, tmp_path: Path):
    done = fuselab("gate", "trial")
    assert done.exit_code == 3
    assert "trial.yaml states no guard: write, say,\n    guard: {write.bw: 5%}" in done.output
    done = fuselab("gate", "trial", "--comment", str(tmp_path / "nowhere" / "comment.md"))
    assert (done.exit_code, "there is no folder" in done.output) == (3, True)
    with (repository / "experiments" / "trial.yaml").open("a") as file:
        file.write("guard: {read.bw: 5%}\n")
    done = fuselab("gate", "trial")
    assert (done.exit_code, "trial.yaml:7:9: guard.read.bw: unknown metric" in done.output) == (3, True)
    assert not (repository / "results" / "trial").exists()


class TestNotify:
    @pytest.fixture
    def notified(self, fuselab, finds, repository: Path):
        def gate(*argv: str, verb=("gate", "trial")):
            with (repository / "experiments" / "trial.yaml").open("a") as file:
                file.write(f"notify: {json.dumps(argv)}\n")
            finds(summary(guard("holds")))
            return fuselab(*verb)

        return gate

    def test_a_command_gets_the_summary_on_its_standard_input(self, notified, repository: Path):
        keep = "import sys; open('told.json', 'w').write(sys.stdin.read()); print('noise')"
        done = notified(sys.executable, "-c", keep)
        assert (done.exit_code, done.stdout) == (0, "")
        told = json.loads((repository / "told.json").read_text())
        assert (told["experiment"], told["guards"][0]["outcome"]) == ("trial", "holds")

    def test_that_it_fails_is_said_and_changes_nothing(self, notified):
        done = notified(sys.executable, "-c", "import sys; sys.exit('nobody answers')")
        assert (done.exit_code, done.stdout) == (0, "")
        assert "ended with 1\nnobody answers" in done.stderr

    def test_a_command_that_is_not_there_changes_nothing_either(self, notified):
        done = notified("no-such-program")
        assert (done.exit_code, "notify: no-such-program: No such file" in done.stderr) == (0, True)

    def test_one_that_hangs_is_ended(self, notified, monkeypatch: pytest.MonkeyPatch):
        monkeypatch.setattr("fuselab.commands.ending._NOTIFY_S", 0.2)
        done = notified(sys.executable, "-c", "import time; time.sleep(60)")
        assert (done.exit_code, "it took more than" in done.stderr) == (0, True)
