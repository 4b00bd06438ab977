"""`make` on machines that lack something, and under sudo: the shell files, tried on a checkout of their own."""

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from fuselab.cli import main
from fuselab.workflow.snakefile import refused_in_path

NOBODY = 65534
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")


@pytest.fixture
def copy(checkout: Path) -> Iterator[Path]:
    """A checkout of nobody's, where others may enter, with the real shell files and the real environment."""
    with tempfile.TemporaryDirectory(prefix="fuselab-test-") as folder:
        os.chmod(folder, 0o755)
        top = Path(folder) / "checkout"
        shutil.copytree(checkout / "envs", top / "envs")
        (top / ".venv").symlink_to(checkout / ".venv")
        if os.geteuid() == 0:
            os.chown(top, NOBODY, NOBODY)
        yield top


@pytest.fixture
def sudo(tmp_path: Path) -> dict[str, str]:
    """The environment that sudo gives a command of nobody's, and the folders that would be below nobody's home."""
    home = tmp_path / "home"
    home.mkdir()
    if os.geteuid() == 0:
        os.chown(home, NOBODY, NOBODY)
    folders = {"XDG_CACHE_HOME": ".cache", "CARGO_HOME": ".cargo", "RUSTUP_HOME": ".rustup"}
    path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    return {name: str(home / folder) for name, folder in folders.items()} | {
        "PATH": path,
        "HOME": "/",
        "SUDO_UID": str(NOBODY),
        "SUDO_GID": str(NOBODY),
    }


def owners(top: Path) -> set[int]:
    return {path.lstat().st_uid for path in [top, *top.rglob("*")]}


def test_a_missing_debian_package_is_found_and_an_installed_one_is_not(copy: Path) -> None:
    (copy / "envs/debian/try.txt").write_text("# a list\nbash        # is there\nno-such-thing  # is not\n")
    command = [str(copy / "envs/setup/debian.sh"), "missing", "try"]
    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "no-such-thing\n"


@needs_root
def test_without_root_the_command_that_root_has_to_type_is_shown(copy: Path) -> None:
    command = [
        "setpriv",
        f"--reuid={NOBODY}",
        "--clear-groups",
        str(copy / "envs/setup/debian.sh"),
        "may-install",
        "fio cow",
    ]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 1
    assert (
        "  sudo apt-get update && sudo apt-get install --yes --no-install-recommends fio cow\n" in done.stderr
    )


@needs_root
def test_under_sudo_nothing_of_roots_is_left_also_when_the_command_fails(
    copy: Path, sudo: dict[str, str]
) -> None:
    write = 'mkdir -p results "$XDG_CACHE_HOME/fuselab" && touch results/run.json "$XDG_CACHE_HOME/fuselab/x"; exit 3'
    done = subprocess.run([copy / "envs/run.sh", "bash", "-c", write], env=sudo)
    assert done.returncode == 3
    assert (copy / "results/run.json").stat().st_uid == NOBODY
    assert owners(Path(sudo["XDG_CACHE_HOME"])) == {NOBODY}


@needs_root
def test_a_project_beside_its_source_is_worked_in_and_changes_hands_too(
    copy: Path, sudo: dict[str, str], tmp_path: Path
) -> None:
    project = tmp_path / "myfs"
    assert CliRunner().invoke(main, ["init", str(project)]).exit_code == 0
    os.chown(project, NOBODY, NOBODY)
    write = "mkdir -p results && touch results/run.json"
    subprocess.run([copy / "envs/run.sh", "bash", "-c", write], env=sudo, cwd=project, check=True)
    assert owners(project) == {NOBODY}
    assert not (copy / "results/run.json").exists()


@needs_root
def test_under_sudo_the_callers_cargo_is_found(copy: Path, sudo: dict[str, str]) -> None:
    everybodys = copy / "bin/cargo"  # an old one, as distributions have it
    everybodys.parent.mkdir()
    everybodys.write_text("#!/bin/sh\necho too old\n")
    everybodys.chmod(0o755)
    sudo = sudo | {"PATH": f"{everybodys.parent}:{sudo['PATH']}"}
    cargo = Path(sudo["CARGO_HOME"]) / "bin/cargo"
    cargo.parent.mkdir(parents=True)
    cargo.write_text("#!/bin/sh\necho the cargo of the caller\n")
    cargo.chmod(0o755)
    done = subprocess.run(
        [copy / "envs/run.sh", "cargo"], env=sudo, capture_output=True, text=True, check=True
    )
    assert done.stdout == "the cargo of the caller\n"


@needs_root
@pytest.mark.parametrize("name", ["INT", "TERM"])
def test_under_sudo_a_signal_reaches_the_command_and_its_files_still_change_hands(
    copy: Path, sudo: dict[str, str], name: str
) -> None:
    wait = f"trap 'touch late; exit 7' {name}; touch early; while :; do sleep 0.05; done"
    # Whoever started the tests with `&` ignores SIGINT, and so would everything below.
    argv = ["env", f"--default-signal={name}", str(copy / "envs/run.sh"), "bash", "-c", wait]
    with subprocess.Popen(argv, env=sudo, start_new_session=True) as process:
        deadline = time.monotonic() + 30
        while not (copy / "early").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(getattr(signal, f"SIG{name}"))
        assert process.wait(30) == 7
    assert (copy / "late").stat().st_uid == (copy / "early").stat().st_uid == NOBODY


def test_an_environment_that_is_up_to_date_needs_nothing(checkout: Path) -> None:
    for script, arguments in [("python.sh", ["todo", "dev"]), ("cargo-tools.sh", ["todo"])]:
        command = [str(checkout / "envs/setup" / script), *arguments]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        assert said == "", "type `make setup-dev` first"


def test_a_changed_lock_or_a_lost_program_makes_work(copy: Path) -> None:
    with (copy / "envs/requirements-dev.txt").open("a") as lock:
        lock.write("# changed\n")
    (copy / "pyproject.toml").write_text("")
    done = subprocess.run(
        [copy / "envs/setup/python.sh", "todo", "dev"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "python\n"
    with (copy / "envs/cargo-tools.txt").open("a") as tools:
        tools.write("nothing 1.0.0 no-such-program\n")
    done = subprocess.run(
        [copy / "envs/setup/cargo-tools.sh", "todo"], capture_output=True, text=True, check=True
    )
    assert done.stdout == "cargo-tools\n"


@pytest.mark.parametrize(
    ("cargo", "said"),
    [
        ("exit 1", "install the Rust toolchain with rustup"),
        ("echo cargo 1.63.0", "1.63.0, and 1.91 is needed"),
    ],
    ids=["none", "too old"],
)
def test_without_a_cargo_of_use_nothing_is_started(copy: Path, checkout: Path, cargo: str, said: str) -> None:
    (copy / "tools").symlink_to(checkout / "tools")
    (copy / "pyproject.toml").write_text("")
    for name in ("cargo-tools.txt", "debian/run.txt"):  # both have something to do
        with (copy / "envs" / name).open("a") as listed:
            listed.write("no-such-thing 1.0.0 no-such-program\n")
    (copy / ".venv").unlink()
    fake = copy / "bin/cargo"
    fake.parent.mkdir()
    fake.write_text(f"#!/bin/sh\n{cargo}\n")
    fake.chmod(0o755)
    env = {name: value for name, value in os.environ.items() if not name.startswith("SUDO_")}
    env["PATH"] = f"{fake.parent}:{env['PATH']}"
    done = subprocess.run([copy / "envs/setup.sh"], env=env, capture_output=True, text=True)
    assert done.returncode == 1
    assert said in done.stderr
    assert not list((copy / "results").glob("logs/*")), "no step was started"


@pytest.mark.parametrize(("tools", "needed"), [((), None), (("s3",), "1.92")], ids=["our own", "s3"])
def test_a_list_of_tools_may_need_a_newer_cargo(
    checkout: Path, tmp_path: Path, tools: tuple[str, ...], needed: str | None
) -> None:
    fake = tmp_path / "cargo"
    fake.write_text("#!/bin/sh\necho cargo 1.91.1\n")
    fake.chmod(0o755)
    env = {**os.environ, "PATH": f"{tmp_path}:{os.environ['PATH']}", "XDG_CACHE_HOME": str(tmp_path)}
    command = [str(checkout / "envs/setup/cargo-tools.sh"), "has-cargo", *tools]
    done = subprocess.run(command, env=env, capture_output=True, text=True)
    assert done.returncode == (needed is not None)
    assert needed is None or f"1.91.1, and {needed} is needed" in done.stdout


def test_without_a_home_the_one_of_the_account_is_used(copy: Path) -> None:
    """A service of systemd has none."""
    env = {"PATH": os.environ["PATH"]}
    done = subprocess.run(
        [copy / "envs/run.sh", "sh", "-c", "echo $HOME"], env=env, capture_output=True, text=True
    )
    assert done.stdout.strip() == pwd.getpwuid(os.geteuid()).pw_dir, done.stderr


REFUSED = " '\"$(){}[];:&|<>*?!#`\\\t\n"


@pytest.mark.parametrize("character", REFUSED, ids=lambda c: f"{ord(c):02x}")
def test_a_path_that_something_below_cannot_take_is_refused_before_anything_is_done(
    copy: Path, character: str
) -> None:
    moved = copy.rename(copy.with_name(f"a{character}checkout"))
    done = subprocess.run([moved / "envs/setup.sh"], capture_output=True, text=True)
    assert done.returncode == 1
    word = "a space" if character.isspace() else f"the character {character}"
    assert f"the path of this checkout has {word} in it" in done.stderr
    assert refused_in_path(str(moved)) == word
    assert not (moved / "results").exists()


def test_a_path_that_is_no_text_is_refused(copy: Path) -> None:
    moved = copy.rename(os.fsdecode(os.fsencode(copy.parent) + b"/a\xffb"))
    done = subprocess.run([os.fsencode(moved / "envs/setup.sh")], capture_output=True)
    assert (done.returncode, b"has a byte that is no UTF-8 in it" in done.stderr) == (1, True)
    assert refused_in_path(str(moved)) == "a byte that is no UTF-8"


def test_any_other_path_is_taken() -> None:
    """Setup and an experiment were run in a checkout at such a path, once and by hand."""
    assert refused_in_path("/home/\u00fc/x+y@z,w=v~u%t^s_1.2-3") is None
