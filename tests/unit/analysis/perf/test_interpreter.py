"""perf sees the interpreter of a script, and the profile says so."""

import re
from pathlib import Path

from fuselab.analysis.perf.interpreter import interpreter_notes
from fuselab.profilers import perf_record

SCRIPT = """#!/usr/bin/env python3
import sys
print("ready", flush=True)
sys.stdin.readline()
sum(number * number for number in range(500_000))
print("done", flush=True)
sys.stdin.read()
"""


def test_a_script_is_said_to_be_seen_through_its_interpreter(
    tmp_path: Path, programs: Path, recorder
) -> None:
    script, wrapper = tmp_path / "script.py", tmp_path / "wrapper"
    script.write_text(SCRIPT)
    wrapper.write_text(f'#!/bin/sh\nexec {programs / "copies"} "$@"\n')
    for program in (script, wrapper):
        program.chmod(0o755)
    (note,) = interpreter_notes(script, recorder.record(perf_record.oncpu_record_argv, [str(script)]))
    assert re.match(r"script\.py is run by an interpreter \(python[\d.]*\): its frames are those of", note)
    data = recorder.record(perf_record.oncpu_record_argv, [str(wrapper), "0.1"])
    assert interpreter_notes(wrapper, data) == (), "the wrapper has become the program"
    assert interpreter_notes(programs / "copies", data) == ()
    assert interpreter_notes(tmp_path / "gone", data) == ()
