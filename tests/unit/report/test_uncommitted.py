"""What no commit has is shown before it is packed, and left out where it looks like a secret."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from fuselab.building.source import state
from fuselab.report.paper.uncommitted import Changes, uncommitted
from fuselab.targets.model import CommandBuild

PLAIN = "fn main() { let token = next_token(); let password: String = ask(); }\n"


@pytest.fixture
def changed(tmp_path: Path):
    """Changes of a build from a real checkout, in which a file has been added."""

    def changed(name: str, text: str) -> Changes:
        source, built = tmp_path / "source", tmp_path / "builds" / "fs" / "plain"
        source.mkdir()
        built.mkdir(parents=True)
        (source / "main.rs").write_text("fn main() {}\n")
        for words in (("init", "-q"), ("add", "."), ("commit", "-qm", "first")):
            identity = ("-c", "user.name=t", "-c", "user.email=t@localhost")
            subprocess.run(["git", "-C", source, *identity, *words], check=True)
        (source / name).write_text(text)
        diff = state(CommandBuild(source, None, ("true",), "fs"), "worktree").diff
        (built / "worktree.diff").write_text(diff)
        found = uncommitted(built / "build.json")
        assert found is not None
        return found

    return changed


def test_a_commit_has_no_changes(tmp_path: Path):
    assert uncommitted(tmp_path / "build.json") is None


def test_code_about_secrets_is_no_secret_and_is_packed(changed):
    changes = changed("main.rs", PLAIN)
    assert changes.suspects == ()
    assert changes.files == ("main.rs",)
    assert changes.packed("safe")
    assert changes.packed("all")
    assert not changes.packed("none")
    assert "main.rs" in changes.said("safe")
    assert "takes" in changes.said("safe")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        (".env", "COLOUR=blue\n"),
        ("id_ed25519", "x\n"),
        ("conf.toml", 'api_key = "0123456789abcdef"\n'),
        ("conf.yaml", "password: correct-horse\n"),
        ("main.rs", 'const URL: &str = "redis://me:open-sesame@host/0";\n'),
        ("notes.txt", "-----BEGIN OPENSSH PRIVATE KEY-----\n"),
        ("notes.txt", "AKIA" + "ABCDEFGHIJKLMNOP\n"),
        ("notes.txt", "AZURE_STORAGE_KEY=bm90IHJlYWxseQ==\n"),
    ],
)
def test_what_looks_like_a_secret_is_left_out_and_named(changed, name: str, text: str):
    changes = changed(name, text)
    assert changes.suspects
    assert not changes.packed("safe")
    assert changes.packed("all")
    assert "leaves out" in changes.said("safe")
    assert "diffs=all" in changes.said("safe")
