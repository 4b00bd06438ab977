"""Which programs a build calls that are not on this machine."""

from __future__ import annotations

import os
import shutil

from fuselab.targets.model import Build, CargoBuild, CommandBuild


def missing(build: Build) -> dict[str, str]:
    """Programs that the build needs and that are not here -> the Debian package that each is in.

    A variable of the program's name in capitals may say where it is, as build scripts read it: PROTOC, CC.
    """
    needs = build.needs if isinstance(build, CargoBuild | CommandBuild) else ()
    return {
        name: package
        for name, package in needs
        if shutil.which(os.environ.get(name.upper().replace("-", "_")) or name) is None
    }
