"""Records as runs leave them, with nothing in them but what a test says."""

from dataclasses import replace
from typing import Any

from fuselab.records.run import Environment, Phases, RunRecord


def environment(**changes: Any) -> Environment:
    named = {"state_device": "/dev/x", "state_fstype": "ext4", "kernel": "Linux", "gate": {}}
    return Environment(**{**dict.fromkeys(Environment.__dataclass_fields__), **named, **changes})


def run_record(**changes: Any) -> RunRecord:
    record = RunRecord(
        purpose="timed", experiment="e", workload="w", variant="v", profiler="none", block=1, repeat=None,
        status="ok", reason=None, argv=(), env={}, pids={}, mount=None, phases=Phases(*[0.0] * 8), load_window_s=None,
        load_started_unix_s=None, exit_codes={}, binary_sha256=None, build=None, network="private", randseed=1,
        environment=environment(), target=None, files=(), started_unix_s=0.0, rig_version=1,
    )  # fmt: skip
    return replace(record, **changes)
