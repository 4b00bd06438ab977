"""Promises of the repository before anything runs: locked, explained requirements, no trace of a machine."""

import ast
import importlib.metadata
import re
import subprocess
import sys
from pathlib import Path

import pytest

LOCKS = ["requirements.txt", "requirements-cluster.txt", "requirements-dev.txt", "uv.txt"]


def committed(checkout: Path) -> list[Path]:
    """The text files that git keeps, or would keep at the next `git add`."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=checkout, check=True, capture_output=True, text=True).stdout.split(
        "\0"
    )
    files = [checkout / name for name in names if name]
    return [path for path in files if path.is_file() and b"\0" not in path.read_bytes()[:8192]]


def requirement_lines(lock: Path) -> list[str]:
    """One string per locked requirement, with its continuation lines joined."""
    text = re.sub(r"\\\n\s*", "", lock.read_text())
    return [line for line in text.splitlines() if line and not line.startswith("#")]


@pytest.mark.parametrize("name", LOCKS)
def test_every_locked_requirement_has_one_version_and_a_hash(checkout: Path, name: str) -> None:
    lines = requirement_lines(checkout / "envs" / name)
    assert lines
    loose = [line for line in lines if not re.match(r"[a-z0-9.-]+==\S+ .*--hash=sha256:[0-9a-f]{64}", line)]
    assert loose == []


@pytest.mark.parametrize("name", LOCKS)
def test_lock_files_name_no_address(checkout: Path, name: str) -> None:
    text = (checkout / "envs" / name).read_text()
    assert re.findall(r"\S*://\S*|--(?:extra-)?index-url.*|--find-links.*", text) == []


def test_tests_run_against_the_versions_that_reports_run_against(checkout: Path) -> None:
    runtime, dev = (
        {line.split(" ")[0] for line in requirement_lines(checkout / "envs" / name)}
        for name in ["requirements.txt", "requirements-dev.txt"]
    )
    assert runtime - dev == set()


def test_every_wanted_package_is_locked(checkout: Path) -> None:
    for wanted, lock in [
        ("requirements.in", "requirements.txt"),
        ("requirements-cluster.in", "requirements-cluster.txt"),
        ("requirements-dev.in", "requirements-dev.txt"),
    ]:
        names = re.findall(r"^[a-z][a-z0-9-]*", (checkout / "envs" / wanted).read_text(), re.M)
        locked = {re.split("==", line)[0] for line in requirement_lines(checkout / "envs" / lock)}
        assert [name for name in names if name not in locked] == [], f"run `make lock`: {wanted} has changed"


def imported(*folders: Path) -> set[str]:
    """Names of the top packages that the Python files below the folders import from outside this repository."""
    found = set()
    for path in (path for folder in folders for path in folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name.split(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                found.add(node.module.split(".")[0])
    own = (
        {path.stem for folder in folders for path in folder.rglob("*.py")}
        | {folder.name for folder in folders}
        | {"fuselab"}
    )
    return found - set(sys.stdlib_module_names) - own


@pytest.mark.parametrize(
    ("wanted", "folders"),
    [("requirements.in", ["scripts"]), ("requirements-dev.in", ["scripts", "tests"])],
)
def test_every_imported_package_is_asked_for_by_name(checkout: Path, wanted: str, folders: list[str]) -> None:
    text = "".join((checkout / "envs" / name).read_text() for name in {wanted, "requirements.in"})
    asked = set(re.findall(r"^[a-z][a-z0-9-]*", text, re.M))
    packages = importlib.metadata.packages_distributions()
    missing = [
        module
        for module in sorted(imported(*(checkout / folder for folder in folders)))
        if asked.isdisjoint(name.lower() for name in packages.get(module, []))
    ]
    assert missing == [], f"add them to envs/{wanted}, then `make lock`"


def test_the_design_says_what_every_python_package_is_for(checkout: Path) -> None:
    design = (checkout / "docs/design.md").read_text()
    explained = set(re.findall(r"[a-z][a-z0-9-]*", " ".join(re.findall(r"^\| ([^|]+) \|", design, re.M))))
    asked = re.findall(r"^[a-z][a-z0-9-]*", (checkout / "envs/requirements.in").read_text(), re.M)
    assert [name for name in asked if name not in explained] == []


def test_every_debian_package_says_what_it_is_for(checkout: Path) -> None:
    lists = sorted((checkout / "envs/debian").glob("*.txt"))
    assert lists
    for path in lists:
        for number, line in enumerate(path.read_text().splitlines(), 1):
            assert re.fullmatch(r"#.+|[a-z0-9][a-z0-9+.-]+ +# .{10,}", line), f"{path.name}:{number}: {line}"


def test_every_debian_list_is_installed_by_setup(checkout: Path) -> None:
    setup = (checkout / "envs/setup.sh").read_text()
    unused = [
        path.stem
        for path in (checkout / "envs/debian").glob("*.txt")
        if not re.search(rf"\b{path.stem}\b", setup)
    ]
    assert unused == []


def test_every_cargo_tool_is_pinned_to_one_version(checkout: Path) -> None:
    lines = (checkout / "envs/cargo-tools.txt").read_text().splitlines()
    tools = [line for line in lines if line and not line.startswith("#")]
    assert tools
    for line in tools:
        assert re.match(r"[a-z][\w-]+ \d+\.\d+\.\d+ [\w,-]+( |$)", line), line


def test_make_lists_each_of_its_commands(checkout: Path) -> None:
    text = (checkout / "Makefile").read_text()
    declared = re.search(r"\.PHONY:((?:.*\\\n)*.*)", text)
    assert declared
    commands = set(declared.group(1).replace("\\\n", " ").split())
    assert commands >= {
        "setup",
        "report",
        "test",
        "test-fast",
        "lint",
        "bench",
        "bench-method",
        "lock",
        "clean",
    }
    listed = subprocess.run(["make"], cwd=checkout, check=True, capture_output=True, text=True).stdout
    assert set(re.findall(r"^  make ([a-z0-9-]+) +\S", listed, re.M)) == commands


def test_committed_files_name_no_folder_of_one_machine(checkout: Path) -> None:
    here = re.compile(rf"{re.escape(str(checkout))}\b|/home/(?!user\b)\w+|/root/\.|/work/(?:main|shared)\b")
    own = Path(__file__).resolve()
    found = [
        f"{path.relative_to(checkout)}: {match.group()}"
        for path in committed(checkout)
        if path != own
        for match in here.finditer(path.read_text(errors="replace"))
    ]
    assert found == []


def test_scripts_that_are_called_can_be_called(checkout: Path) -> None:
    scripts = [path for path in committed(checkout) if path.suffix == ".sh" and path.name != "caller.sh"]
    assert scripts
    assert [path for path in scripts if not path.stat().st_mode & 0o111] == []


def test_results_and_environment_are_never_committed(checkout: Path) -> None:
    for name in ["results/x/run.json", ".venv/bin/python", ".snakemake/log"]:
        assert subprocess.run(["git", "check-ignore", "-q", name], cwd=checkout).returncode == 0, name
