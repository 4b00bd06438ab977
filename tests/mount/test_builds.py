"""Builds of a small cargo package in a repository of its own: revisions, features, errors in the compiler's words."""

from __future__ import annotations

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from fuselab.building.build import make_build
from fuselab.building.cargo import cargo_env
from fuselab.building.needs import missing
from fuselab.building.request import BuildRequest, _rustc_version, build_request
from fuselab.building.source import stamp, state
from fuselab.errors import BuildError
from fuselab.experiment.model import Variant
from fuselab.locks import locked
from fuselab.targets.model import CargoBuild, CommandBuild, Installed, MountTemplate, ProfilerSupport, Target

pytestmark = pytest.mark.mount  # mounts nothing, but compiles: not for the inner loop

MANIFEST = '[package]\nname = "tiny"\nversion = "0.1.0"\nedition = "2021"\n[features]\nloud = []\n'
MAIN = 'fn main() { println!("{}", if cfg!(feature = "loud") { "LOUD" } else { "quiet" }); }\n'


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "checkout"
    (folder / "src").mkdir(parents=True)
    (folder / "Cargo.toml").write_text(MANIFEST)
    (folder / "src/main.rs").write_text(MAIN)
    git(folder, "init", "-q")
    git(folder, "add", ".")
    git(folder, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "first")
    return folder


@pytest.fixture
def target(source: Path, tmp_path: Path) -> Target:
    build = CargoBuild(source=source, source_env=None, package=None, binary="tiny")
    return Target(
        "tiny", tmp_path / "targets/tiny/target.yaml", "tiny", build, MountTemplate(argv=("{binary}",))
    )


def git(folder: Path, *argv: str) -> str:
    return subprocess.run(
        ["git", "-C", str(folder), *argv], check=True, capture_output=True, text=True
    ).stdout


def make(target: Target, variant: Variant, out: Path, supports: tuple[ProfilerSupport, ...] = ()) -> Path:
    spec = build_request(target, variant, supports)
    assert spec is not None
    make_build(spec, target.build, out / spec.name)
    return out / spec.name / spec.binary


def said(binary: Path) -> str:
    return subprocess.run([str(binary)], check=True, capture_output=True, text=True).stdout.strip()


def test_features_of_a_profiler_make_another_build_beside_the_plain_one(
    target: Target, tmp_path: Path
) -> None:
    variant = Variant("baseline", "tiny", "none")
    plain = make(target, variant, tmp_path / "out")
    loud = make(target, variant, tmp_path / "out", (ProfilerSupport("x", features=("loud",)),))
    assert (said(plain), said(loud)) == ("quiet", "LOUD")
    assert plain.parent.name.startswith("worktree-plain-")
    assert loud.parent.name.startswith("worktree-loud-")


def test_the_name_changes_when_and_only_when_what_is_compiled_does(target: Target, source: Path) -> None:
    variant = Variant("baseline", "tiny", "none")
    first = build_request(target, variant)
    assert build_request(target, replace(variant, name="other", env=(("A", "b"),))) == first
    (source / "src/main.rs").write_text(MAIN.replace("quiet", "still"))
    stamp.cache_clear()
    second = build_request(target, variant)
    assert first is not None
    assert second is not None
    assert second.name != first.name
    assert build_request(target, replace(variant, rustflags=("-C", "opt-level=1"))) != second


def test_a_revision_is_built_from_a_clean_clone_and_the_checkout_is_not_touched(
    target: Target, source: Path, tmp_path: Path
) -> None:
    commit = git(source, "rev-parse", "HEAD").strip()
    (source / "src/main.rs").write_text(MAIN.replace("quiet", "edited"))
    status = git(source, "status", "--porcelain")
    old = make(target, Variant("old", "tiny", "none", rev=commit), tmp_path / "out")
    assert said(old) == "quiet"
    assert git(source, "status", "--porcelain") == status
    assert git(source, "worktree", "list").count("\n") == 1


def test_a_dirty_worktree_is_recorded_with_its_diff(target: Target, source: Path, tmp_path: Path) -> None:
    (source / "src/main.rs").write_text("mod new;\n" + MAIN.replace("quiet", "edited"))
    (source / "src/new.rs").write_text("// a file that git does not know yet\n")
    spec = build_request(target, Variant("baseline", "tiny", "none"))
    assert spec is not None
    record = make_build(spec, target.build, tmp_path / "out")
    assert record.dirty
    git(tmp_path, "clone", "-q", str(source), "again")
    git(tmp_path / "again", "apply", str(tmp_path / "out/worktree.diff"))
    for name in ("src/main.rs", "src/new.rs"):
        assert (tmp_path / "again" / name).read_bytes() == (source / name).read_bytes()


def test_a_compile_error_ends_with_the_compilers_own_words(
    target: Target, source: Path, tmp_path: Path
) -> None:
    (source / "src/main.rs").write_text("fn main() { this does not compile }\n")
    with pytest.raises(BuildError, match="expected one of"):
        make(target, Variant("baseline", "tiny", "none"), tmp_path / "out")


def test_without_cargo_the_mend_is_named(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = build_request(target, Variant("baseline", "tiny", "none"))
    assert spec is not None
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(BuildError, match="rustup"):
        make_build(spec, target.build, tmp_path / "out")


def test_a_source_that_is_not_set_is_named_with_its_variable(target: Target, tmp_path: Path) -> None:
    build = CargoBuild(source=None, source_env="TINY_SOURCE", package=None, binary="tiny")
    with pytest.raises(BuildError, match="export TINY_SOURCE="):
        make(replace(target, build=build), Variant("baseline", "tiny", "none"), tmp_path / "out")


def test_any_command_can_build(target: Target, source: Path, tmp_path: Path) -> None:
    command = CommandBuild(source=source, source_env=None, argv=("cp", "src/main.rs", "made"), binary="made")
    made = make(replace(target, build=command), Variant("baseline", "tiny", "none"), tmp_path / "out")
    assert made.read_text() == MAIN


def twins(target: Target, source: Path, text: str, *flags: str) -> list[tuple[Target, BuildRequest]]:
    """Targets that make the program `made` of one Makefile, each with its own CFLAGS."""
    (source / "Makefile").write_text(text)
    (source / "made.c").write_text("int main(void) { return VALUE; }\n")
    found = []
    for number, each in enumerate(flags):
        build = CommandBuild(source, None, ("make", "made"), "made", env=(("CFLAGS", each),))
        twin = replace(target, name=f"twin{number}", build=build)
        spec = build_request(twin, Variant("baseline", twin.name, "none"))
        assert spec is not None
        found.append((twin, spec))
    return found


ONE_STEP = "made: made.c\n\tcc $(CFLAGS) -o made made.c\n"
TWO_STEPS = "made: made.o\n\tcc -o made made.o\nmade.o: made.c\n\tcc $(CFLAGS) -c made.c\n"


def test_two_builds_of_one_source_that_differ_in_their_env_alone_are_two_programs(
    target: Target, source: Path, tmp_path: Path
) -> None:
    built = twins(target, source, ONE_STEP, "-DVALUE=3", "-DVALUE=4")
    for twin, spec in built:
        make_build(spec, twin.build, tmp_path / spec.folder)
    codes = [subprocess.run([tmp_path / s.folder / "made"], check=False).returncode for _, s in built]
    assert codes == [3, 4]
    assert not (source / "made").exists(), "the user's checkout is read, never written"


def test_objects_that_lie_about_outside_git_are_found_out(target: Target, tmp_path: Path) -> None:
    plain = tmp_path / "plain"
    plain.mkdir()
    twins(target, plain, TWO_STEPS, "")
    subprocess.run(["make"], cwd=plain, env={**os.environ, "CFLAGS": "-DVALUE=5"}, check=True)
    stamp.cache_clear()
    (first, one), (second, two) = twins(target, plain, TWO_STEPS, "-DVALUE=3", "-DVALUE=4")
    os.utime(plain / "made.o")
    make_build(one, first.build, tmp_path / one.folder)
    assert two.made_otherwise(one)
    with pytest.raises(BuildError, match="same program, byte for byte"):
        make_build(two, second.build, tmp_path / two.folder, [tmp_path / one.folder])


def test_one_command_in_two_targets_may_make_the_same(target: Target, source: Path) -> None:
    (_, one), (_, two) = twins(target, source, ONE_STEP, "-DVALUE=3", "-DVALUE=3")
    assert not one.made_otherwise(two)


def test_a_command_may_ask_git_for_a_version_and_use_what_is_beside_its_folder(
    target: Target, source: Path, tmp_path: Path
) -> None:
    (source / "src/more").mkdir()
    (source / "src/more/new.txt").write_text("a file that git does not know yet")
    script = "git describe --always --dirty > made; ls .. more >> made"
    build = CommandBuild(source / "src", None, ("sh", "-c", script), "made")
    made = make(replace(target, build=build), Variant("baseline", "tiny", "none"), tmp_path / "out")
    version, *listed = made.read_text().split()
    assert git(source, "rev-parse", "HEAD").startswith(version)
    assert {"Cargo.toml", "src", "new.txt"} <= set(listed)


@pytest.mark.parametrize("kind", ["cargo", "command"])
def test_a_source_that_is_edited_after_the_plan_is_not_built_under_the_old_name(
    target: Target, source: Path, tmp_path: Path, kind: str
) -> None:
    if kind == "command":
        target = replace(target, build=CommandBuild(source, None, ("cp", "src/main.rs", "made"), "made"))
    spec = build_request(target, Variant("baseline", "tiny", "none"))
    assert spec is not None
    (source / "src/main.rs").write_text(MAIN.replace("quiet", "edited"))
    with pytest.raises(BuildError, match=r"edited after this call began.*call again"):
        make_build(spec, target.build, tmp_path / "out")


def test_a_source_that_is_edited_while_it_is_compiled_is_not_taken(
    target: Target, source: Path, tmp_path: Path
) -> None:
    # The package's own script is run by the build, after its source was looked at for the first time.
    write = 'std::fs::write("src/late.rs", "// came while it was compiled").unwrap();'
    (source / "build.rs").write_text(f"fn main() {{ {write} }}\n")
    spec = build_request(target, Variant("baseline", "tiny", "none"))
    assert spec is not None
    with pytest.raises(BuildError, match="edited after this call began"):
        make_build(spec, target.build, tmp_path / "out")


def test_a_file_that_is_put_back_with_its_old_date_is_compiled(
    target: Target, source: Path, tmp_path: Path
) -> None:
    main = source / "src/main.rs"
    old = main.stat()
    main.write_text(MAIN.replace("quiet", "edited"))
    assert said(make(target, Variant("baseline", "tiny", "none"), tmp_path / "out")) == "edited"
    main.write_text(MAIN)
    os.utime(main, ns=(old.st_atime_ns, old.st_mtime_ns))
    stamp.cache_clear()
    assert said(make(target, Variant("baseline", "tiny", "none"), tmp_path / "out")) == "quiet"


def test_a_program_that_a_build_needs_is_asked_for_before_anything_is_compiled(
    target: Target, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert isinstance(target.build, CargoBuild)
    build = replace(target.build, needs=(("no-such-compiler", "no-such-package"),))
    (source / "src/main.rs").write_text("this does not compile")
    with pytest.raises(BuildError, match=r"`no-such-compiler`.*apt-get install no-such-package"):
        make(replace(target, build=build), Variant("baseline", "tiny", "none"), tmp_path / "out")
    monkeypatch.setenv("NO_SUCH_COMPILER", "sh")
    assert missing(build) == {}


def test_who_waits_for_another_build_says_so(
    target: Target, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    spec = build_request(target, Variant("baseline", "tiny", "none"))
    assert spec is not None
    with ThreadPoolExecutor() as pool:
        with locked(Path(cargo_env(spec)["CARGO_TARGET_DIR"]) / "fuselab.lock"):
            built = pool.submit(make_build, spec, target.build, tmp_path / "out")
            while "waiting for another build in" not in capfd.readouterr().err:
                assert not built.done()
                time.sleep(0.05)
        built.result()


def test_an_installed_program_is_recorded_with_its_version(target: Target, tmp_path: Path) -> None:
    installed = replace(target, build=Installed("git", ("git", "--version")))
    spec = build_request(installed, Variant("baseline", "tiny", "none"))
    assert spec is not None
    record = make_build(spec, installed.build, tmp_path / "out")
    assert record.version is not None
    assert record.version.startswith("git version")
    assert len(record.sha256) == 64


def test_checkouts_of_one_package_that_share_cargos_folder_never_get_each_others_program(
    target: Target, source: Path, tmp_path: Path
) -> None:
    """cargo takes both for one package, and for fresh what is older than what it compiled last."""
    other = tmp_path / "elsewhere"
    git(tmp_path, "clone", "-q", str(source), str(other))
    (other / "src/main.rs").write_text(MAIN.replace("quiet", "other"))
    assert isinstance(target.build, CargoBuild)
    elsewhere = replace(target, build=replace(target.build, source=other))
    long_ago = time.time() - 1000
    for folder in (source, other):
        for path in (folder / "Cargo.toml", folder / "src/main.rs"):
            os.utime(path, (long_ago, long_ago))
    variant = Variant("baseline", "tiny", "none")
    made = [
        (make(which, variant, tmp_path / f"out-{number}"))
        for number, which in enumerate((target, elsewhere) * 2)
    ]
    assert [said(binary) for binary in made] == ["quiet", "other"] * 2


def test_an_old_revision_whose_clone_is_still_there_is_compiled_again(
    target: Target, source: Path, tmp_path: Path
) -> None:
    first = git(source, "rev-parse", "HEAD").strip()
    (source / "src/main.rs").write_text(MAIN.replace("quiet", "newer"))
    git(source, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qam", "second")
    second = git(source, "rev-parse", "HEAD").strip()
    for number, (rev, word) in enumerate(((first, "quiet"), (second, "newer"), (first, "quiet"))):
        assert said(make(target, Variant("v", "tiny", "none", rev=rev), tmp_path / f"out-{number}")) == word


def test_a_program_that_lies_in_its_source_is_no_cause_to_build_again(tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "main.sh").write_text("#!/bin/sh\necho built\n")
    build = CommandBuild(source=source, source_env=None, argv=("cp", "main.sh", "made"), binary="made")
    target = Target("copied", tmp_path / "target.yaml", "copied", build, MountTemplate(argv=("{binary}",)))
    variant = Variant("v", "copied", "none")
    first = build_request(target, variant)
    make(target, variant, tmp_path / "out")
    (source / "made").write_text("left by a build by hand")
    stamp.cache_clear()
    assert build_request(target, variant) == first


def host() -> str:
    said = subprocess.run(["rustc", "-vV"], check=True, capture_output=True, text=True).stdout
    return next(line.split()[1] for line in said.splitlines() if line.startswith("host: "))


@pytest.mark.parametrize("how", ["a target", "a manifest elsewhere"])
def test_no_argument_of_cargo_brings_another_checkouts_program(
    target: Target, source: Path, tmp_path: Path, how: str
) -> None:
    other = tmp_path / "elsewhere"
    for folder in (source, other) if how == "a target" else (source / "inner", other / "inner"):
        (folder / "src").mkdir(parents=True, exist_ok=True)
        (folder / "Cargo.toml").write_text(MANIFEST)
        (folder / "src/main.rs").write_text(
            MAIN.replace("quiet", "other") if other in folder.parents or folder == other else MAIN
        )
        for path in (folder / "Cargo.toml", folder / "src/main.rs"):
            os.utime(path, (time.time() - 1000,) * 2)
    if how != "a target":
        (source / "Cargo.toml").unlink()
    args = ("--target", host()) if how == "a target" else ("--manifest-path=inner/Cargo.toml",)
    made = [
        make(
            replace(target, build=CargoBuild(folder, binary="tiny", args=args)),
            Variant("v", "tiny", "none"),
            tmp_path / f"out-{number}",
        )
        for number, folder in enumerate((source, other) * 2)
    ]
    assert [said(binary) for binary in made] == ["quiet", "other"] * 2


def test_a_cargo_lock_that_the_build_made_is_no_edit_and_one_that_is_changed_is(
    target: Target, source: Path, tmp_path: Path
) -> None:
    variant = Variant("v", "tiny", "none")
    first = build_request(target, variant)
    make(target, variant, tmp_path / "out")
    stamp.cache_clear()
    assert (source / "Cargo.lock").is_file()
    assert build_request(target, variant) == first
    (source / "Cargo.lock").write_text((source / "Cargo.lock").read_text() + "# mine\n")
    stamp.cache_clear()
    assert build_request(target, variant) != first


@pytest.mark.parametrize("name", [b"new.txt", b"n\xe9w.txt", "größe.txt".encode()])
def test_what_is_in_a_new_file_counts_whatever_its_name_is(target: Target, source: Path, name: bytes) -> None:
    names = set()
    for text in ("one", "two"):
        with open(os.path.join(os.fsencode(source), name), "w") as file:
            file.write(text)
        stamp.cache_clear()
        request = build_request(target, Variant("v", "tiny", "none"))
        assert request is not None
        names.add(request.name)
    assert len(names) == 2
    assert target.build.kind == "cargo"
    assert "two" in state(target.build, "worktree").diff


def test_a_package_beside_the_source_that_it_refers_to_is_part_of_it(
    target: Target, source: Path, tmp_path: Path
) -> None:
    beside = tmp_path / "beside"
    (beside / "src").mkdir(parents=True)
    (beside / "Cargo.toml").write_text(
        MANIFEST.replace("tiny", "beside") + '[dev-dependencies]\ntiny = { path = "../checkout" }\n'
    )
    (beside / "src/lib.rs").write_text('pub const WORD: &str = "one";\n')
    (source / "Cargo.toml").write_text(MANIFEST + '[dependencies]\nbeside = { path = "../beside" }\n')
    names = set()
    for word in ("one", "two"):
        (beside / "src/lib.rs").write_text(f'pub const WORD: &str = "{word}";\n')
        stamp.cache_clear()
        request = build_request(target, Variant("v", "tiny", "none"))
        assert request is not None
        names.add(request.name)
    assert len(names) == 2


def test_the_toolchain_that_the_source_chooses_stands_in_the_builds_name(
    target: Target, source: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A `rustc` that says what the nearest rust-toolchain.toml does, as rustup's would."""
    program = tmp_path / "bin/rustc"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\ncat rust-toolchain.toml 2>/dev/null || echo default\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")

    def toolchain(rev: str) -> str:
        _rustc_version.cache_clear()
        request = build_request(target, Variant("v", "tiny", "none", rev=rev))
        assert request is not None
        return request.toolchain

    before = git(source, "rev-parse", "HEAD").strip()
    (source / "rust-toolchain.toml").write_text("old")
    git(source, "add", ".")
    git(source, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-qm", "choose")
    chosen = git(source, "rev-parse", "HEAD").strip()
    (source / "rust-toolchain.toml").write_text("new")
    assert [toolchain(rev) for rev in (before, chosen, "worktree")] == ["default", "old", "new"]
    monkeypatch.undo()
    _rustc_version.cache_clear()
