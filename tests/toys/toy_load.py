"""A kind of load of somebody else: makes empty files in the mount. docs/extend.md tells how it came to be."""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from fuselab.records.request import Load
from fuselab.workloads.base import LoadContext, LoadResult, Settings, Traffic, WorkloadKind
from fuselab.workloads.metric import Metric, Phrase, Quantity

RATE = Quantity("touch.rate", "1/s", "higher", Phrase("file creations per second", "creates files"))


class Touch(WorkloadKind):
    """`touch: {files: 100}`."""

    name = "touch"
    schema: ClassVar[Mapping[str, Any]] = {
        "title": "touch load",
        "description": "Makes empty files in the mount, one after the other.",
        "x-allowed": "{files: 100}",
        "type": "object",
        "additionalProperties": False,
        "required": ["files"],
        "properties": {
            "files": {
                "title": "number of files",
                "description": "How many files are made.",
                "type": "integer",
                "minimum": 1,
                "maximum": 100_000,
                "examples": [100],
            }
        },
        "examples": [{"files": 100}],
    }
    quantities = (RATE,)

    def run(self, load: Load, context: LoadContext) -> LoadResult:
        files, started = load.settings["files"], time.monotonic()
        for number in range(files):
            if time.monotonic() - started > load.timeout_s:
                return LoadResult(1, f"{number} of {files} files were there after {load.timeout_s:g} s")
            try:
                (context.directory / f"{number}").touch(exist_ok=False)
            except OSError as error:
                return LoadResult(1, f"file {number} of {files} could not be made: {error.strerror}")
        seconds = time.monotonic() - started
        (context.out / "touch.json").write_text(json.dumps({"files": files, "seconds": seconds}))
        return LoadResult(0)

    def metrics(self, run: Path) -> Sequence[Metric]:
        said = json.loads((run / "touch.json").read_text())
        return [RATE.of(said["files"] / said["seconds"])]

    def traffic(self, run: Path) -> Traffic:
        return Traffic(operations=json.loads((run / "touch.json").read_text())["files"], bytes=0)

    def described(self, name: str, settings: Settings) -> Sequence[str]:
        return [f"`{name}` makes {settings['files']} empty files."]
