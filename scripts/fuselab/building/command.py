"""Compiling with any command, in a fresh copy of the source."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from fuselab.building.checkout import own_copy, require_unedited
from fuselab.building.request import BuildRequest
from fuselab.building.running import Made, run
from fuselab.errors import BuildError
from fuselab.targets.model import CommandBuild


@contextmanager
def compiled(request: BuildRequest, build: CommandBuild) -> Iterator[Made]:
    """The program, there until the block is left. Raises BuildError."""
    with own_copy(request, build) as folder:
        require_unedited(request, build)
        first, program = build.argv[0], folder / build.binary
        path = f"{os.environ.get('PATH', '')}:{folder}"
        if shutil.which(first, path=path) is None and not (folder / first).exists():
            raise BuildError(
                f"the build command of target {request.target} starts with `{first}`, which is not installed"
            )
        env = dict(build.env)
        run(build.argv, folder, env, f"building {request.folder}")
        if not program.is_file():
            raise BuildError(
                f"the build command of target {request.target} left no file {build.binary}: check `binary:`. It runs "
                f"in a fresh copy of {build.source}, without what git ignores there"
            )
        yield Made(program, build.argv, env, build.source or folder)
