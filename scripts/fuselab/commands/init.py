"""`fuselab init`: experiments, targets and results of a filesystem in its own repository, not in fuselab's checkout."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import click

from fuselab.commands.common import fail, shorter
from fuselab.commands.editors import write
from fuselab.files import write_atomically
from fuselab.project import CHECKOUT, FORM, SNAKEFILE, initialised

_SNAKEFILE = f"""\
# Written by `fuselab init` (form {FORM}): by this line fuselab knows a folder with experiments, targets and results.
# `fuselab run NAME` measures one and makes its report, `snakemake --cores all` those of all experiments
# here; of some, if a line above the include names them: config["experiments"] = ["first", "second"]
from fuselab.project import RULES


include: RULES


rule all:
    default_target: True
    input:
        "results/report.html",
"""
_PROFILE = Path("profiles/default/config.yaml")
_FOLDERS = ("experiments", "targets")
_IGNORED = (b"/results/", b"/.snakemake/", b"/bundles/", b"/.fuselab/")


@click.command("init")
@click.argument("folder", default=".", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Make FOLDER (this one, without it) a place of experiments, beside the source of a filesystem.

    Writes a Snakefile of a few lines, the profile with Snakemake's settings, experiments/, targets/ and lines in
    .gitignore. `snakemake` works there, and every verb there and in the folders below, as in a checkout of fuselab;
    what fuselab ships (quickstart, demofs, etcd, ...) is found by its name too. Nothing that is there is overwritten.
    """
    folder = folder.absolute()
    written = files(folder)
    require_free(folder, written)
    for name in _FOLDERS:
        (folder / name).mkdir(parents=True, exist_ok=True)
    # The Snakefile comes last: until it is there the folder is no project, and the next call writes the rest.
    for path, content in written.items():
        at = folder / path
        if not (at.exists() and at.read_bytes() == content):
            at.parent.mkdir(parents=True, exist_ok=True)
            write_atomically(at, content)
            click.echo(f"wrote {shorter(at)}")
    write(folder)
    where = "" if folder == Path.cwd() else f"cd {shorter(folder)}\n       "
    click.echo(
        f"next:  {where}fuselab try -- ./myfs -f {{mountpoint}}    a first target and experiment\n"
        "       fuselab new NAME --target TARGET      an experiment on a target that is there"
    )


def files(folder: Path) -> Mapping[Path, bytes]:
    """What is to be written, by paths below `folder`; the Snakefile last."""
    ignore = Path(".gitignore")
    return {
        _PROFILE: (CHECKOUT / _PROFILE).read_bytes(),
        ignore: _with_lines(folder / ignore),
        Path(SNAKEFILE): _SNAKEFILE.encode(),
    }


def require_free(folder: Path, written: Mapping[Path, bytes]) -> None:
    """End with the mend if something is in the way, before anything is written."""
    from fuselab.workflow.snakefile import refused_in_path

    elsewhere = f"choose a folder of its own for experiments: fuselab init {shorter(folder / 'fuselab')}"
    if refused := refused_in_path(str(folder)):
        fail(
            f"{folder}: Snakemake, or a shell below it, takes {refused} for something else: choose another folder"
        )
    snakefile = folder / SNAKEFILE
    if snakefile.is_file() and initialised(snakefile):
        fail(f"{snakefile} is there already: this folder is set up")
    if snakefile.exists() or snakefile.is_symlink():
        fail(f"{snakefile} is there, and `fuselab init` has not written it: {elsewhere}")
    profile = folder / _PROFILE
    if profile.exists() and profile.read_bytes() != written[_PROFILE]:
        fail(f"{profile} is there, and says something else: {elsewhere}")
    for path in (*map(Path, _FOLDERS), _PROFILE.parent):
        for place in (folder / path, *(folder / inner for inner in path.parents)):
            if place.exists() and not place.is_dir():
                fail(f"{place} is there, and is no folder: {elsewhere}")


def _with_lines(ignore: Path) -> bytes:
    """.gitignore with our lines behind its own, where they are missing."""
    content = ignore.read_bytes() if ignore.exists() else b""
    missing = [line for line in _IGNORED if line not in content.splitlines()]
    newline = b"\n" if missing and content and not content.endswith(b"\n") else b""
    return content + newline + b"".join(line + b"\n" for line in missing)
