"""Tab offers verbs, options and the names of the project one stands in: asked in the shells themselves."""

import os
import pty
import re
import select
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from click.shell_completion import BashComplete

from fuselab.cli import main
from fuselab.commands.completion import PLACES, line, script
from fuselab.project import CHECKOUT

PROGRAM = CHECKOUT / ".venv/bin/fuselab"

ASKED = {
    "bash": """
{script}
COMP_WORDS=({words}) COMP_CWORD={last}
_fuselab_completion fuselab
printf '%s\\n' "${{COMPREPLY[@]}}"
""",
    "zsh": """
compdef() {{ }}
compadd() {{ [[ "$*" != *completions* ]] || print -l -- $completions }}
_describe() {{ print -l -- ${{completions_with_descriptions%%:*}} }}
{script}
words=({words}) CURRENT=$(({last} + 1))
_fuselab_completion
""",
    "fish": """
{script}
complete --do-complete '{line}'
""",
}


def offered(words: list[str], cwd: Path) -> list[str]:
    """What is offered for the last of `words`."""
    complete = BashComplete(main, {}, "fuselab", "_FUSELAB_COMPLETE")
    before = Path.cwd()
    os.chdir(cwd)
    try:
        return [item.value for item in complete.get_completions(words[1:-1], words[-1])]
    finally:
        os.chdir(before)


def in_shell(shell: str, words: list[str], cwd: Path) -> list[str]:
    """As `offered`, asked in the real shell with the script as `make setup` installs it."""
    quoted = " ".join(f"'{word}'" for word in words)
    text = ASKED[shell].format(
        script=script(shell, main), words=quoted, last=len(words) - 1, line=" ".join(words)
    )
    bare = {"bash": ["--norc", "--noprofile"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    done = subprocess.run(
        [shell, *bare, "-c", text], cwd=cwd, capture_output=True, text=True, timeout=60, check=False
    )
    assert not done.stderr, done.stderr
    return done.stdout.split()


@pytest.fixture(scope="module")
def room(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that `fuselab init` made, with an experiment and a target of its own in git."""
    tmp_path = tmp_path_factory.mktemp("room")
    subprocess.run([PROGRAM, "init", tmp_path], check=True, capture_output=True)
    target = tmp_path / "targets/mine/target.yaml"
    target.parent.mkdir(parents=True)
    target.write_text(
        "name: mine\nbuild: {command: {source: ../.., argv: [make], binary: fs}}\n"
        'mount: {argv: ["{binary}", "{mountpoint}"]}\nbackends: {small: {argv: [--small]}, large: {argv: []}}\n'
    )
    (tmp_path / "experiments/asks.yaml").write_text(
        "name: asks\ntarget: mine\nmatrix:\n  along: rev\n  axes: {backend: [small, large], rev: [main, worktree]}\n"
        "workloads: {appends: {fio: {rw: write, size: 1m}}}\n"
    )
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run([*git, "init", "--quiet", "--initial-branch=main"], check=True)
    subprocess.run([*git, "commit", "--quiet", "--allow-empty", "--message=first"], check=True)
    subprocess.run([*git, "tag", "v1.4.0"], check=True)
    return tmp_path


def test_verbs_and_options_are_offered():
    assert offered(["fuselab", "que"], CHECKOUT) == ["query"]
    assert "--csv" in offered(["fuselab", "query", "--"], CHECKOUT)


@pytest.mark.parametrize(
    ("words", "some"),
    [
        (["run", "as"], ["asks"]),
        (["run", "asks", "quickst"], ["quickstart"]),  # what fuselab ships is found too
        (["check", ""], ["asks", "quickstart"]),
        (["hold", "asks", "--variant", "small-"], ["small-main", "small-worktree"]),
        (["hold", "asks", "-p", "perf-"], ["perf-oncpu", "perf-offcpu"]),
        (["new", "n", "--target", "m"], ["mine"]),
        (["compare", "--target", "mine", "v"], ["v1.4.0"]),
        (["compare", "-t", "mine", "--backend", "s"], ["small"]),
        (["bisect", "asks", "--good", "v"], ["v1.4.0"]),
        (["bisect", "asks", "--bad", ""], ["worktree", "HEAD", "main", "v1.4.0"]),
        (["bisect", "asks", "--workload", ""], ["appends"]),
    ],
    ids=lambda words: " ".join(words),
)
def test_names_are_those_of_the_project_one_stands_in(room: Path, words: list[str], some: list[str]):
    found = offered(["fuselab", *words], room)
    assert set(some) <= set(found)
    assert all(name.startswith(words[-1]) for name in found)


HEAVY = (
    "fuselab.profilers",
    "fuselab.workloads",
    "fuselab.experiment.model",
    "jsonschema",
    "msgspec",
    "rich",
    "numpy",
)
ASKING = """
import sys
from click.shell_completion import BashComplete
from fuselab.cli import main
assert BashComplete(main, {}, "fuselab", "_FUSELAB_COMPLETE").get_completions(sys.argv[1:-1], sys.argv[-1])
print(*sys.modules)
"""


def loaded_by(words: list[str], cwd: Path) -> set[str]:
    """What a Tab behind the first of `words` imports."""
    asked = [str(PROGRAM.with_name("python")), "-c", ASKING, *words]
    done = subprocess.run(asked, cwd=cwd, capture_output=True, text=True, timeout=60, check=True)
    return set(done.stdout.split())


def test_tab_reads_no_more_than_what_it_offers(room: Path):
    """What is waited for at each Tab is what is imported: a person calls a fifth of a second at once."""
    names = loaded_by(["run", "qu"], room)
    assert names.isdisjoint((*HEAVY, "yaml")), "names of experiments are those of files"
    assert loaded_by(["hold", "asks", "--variant", "small-"], room).isdisjoint(HEAVY)
    assert loaded_by(["compare", "-t", "mine", "--backend", "s"], room).isdisjoint(HEAVY)


def test_a_broken_file_offers_nothing_and_says_nothing(room: Path, capfd: pytest.CaptureFixture[str]):
    (room / "experiments/brokenly.yaml").write_text("name: [\n")
    assert offered(["fuselab", "hold", "brokenly", "--variant", ""], room) == []
    assert offered(["fuselab", "run", "brok"], room) == ["brokenly"]
    assert capfd.readouterr() == ("", "")


def test_what_is_typed_as_a_path_is_left_to_the_shell(room: Path):
    complete = BashComplete(main, {}, "fuselab", "_FUSELAB_COMPLETE")
    [item] = complete.get_completions(["run"], "./experiments/a")
    assert item.type == "file"


@pytest.mark.parametrize("shell", list(PLACES))
def test_each_shell_asks_it(shell: str, room: Path):
    if shell != "bash" and shutil.which(shell) is None:
        pytest.skip(f"{shell} is not on this machine")
    assert in_shell(shell, ["fuselab", "run", "as"], room) == ["asks"]
    assert in_shell(shell, ["fuselab", "hold", "asks", "--variant", "small-w"], room) == ["small-worktree"]
    assert "query" in in_shell(shell, ["fuselab", "q"], room)


def test_in_bash_tab_writes_the_name_whatever_way_the_program_is_called(room: Path):
    pid, terminal = pty.fork()
    if pid == 0:
        os.chdir(room)
        os.environ.update(TERM="dumb", PS1="> ", HOME=str(room))
        os.execvp("bash", ["bash", "--norc", "--noprofile"])
    said = b""

    def until(what: bytes) -> None:
        nonlocal said
        start, deadline = len(said), time.monotonic() + 60
        while what not in said[start:]:
            assert time.monotonic() < deadline, said.decode()
            if select.select([terminal], [], [], 0.2)[0]:
                said += os.read(terminal, 65536)

    try:
        os.write(terminal, f"source {CHECKOUT / '.venv' / PLACES['bash']}; echo SOUR''CED\n".encode())
        until(b"SOURCED")
        for program in ("fuselab", str(PROGRAM)):
            os.write(terminal, f"{program} run qui\t".encode())
            until(b"quickstart ")
            os.write(terminal, b"\x15")
    finally:
        os.close(terminal)
        os.waitpid(pid, 0)


def test_setup_has_installed_them_in_the_checkout_and_says_the_line():
    for shell, place in PLACES.items():
        assert (CHECKOUT / ".venv" / place).read_text() == script(shell, main)
        assert str(CHECKOUT / ".venv" / place) in line(shell)
    assert re.search(r"~/\.bashrc:  source /\S+", line("a shell that nobody knows"))
