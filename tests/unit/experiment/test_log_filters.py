"""A variant's RUST_LOG holds for its captures too: whoever records nothing because of it is named beforehand."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuselab.doctor.experiment import replaced_filters
from fuselab.experiment.loading import load_experiment
from fuselab.experiment.log_filters import replaced
from fuselab.targets.model import ProfilerSupport

TEXT = """
name: filtered
title: filtered
target: demofs
variants:
  baseline: {}
  loud: {env: {RUST_LOG: info}}
workloads: {w: {fio: {rw: write, bs: 128k, size: 8m}}}
profilers: [[trace-chrome, trace-flame], tokio-console, perf-oncpu]
"""


@pytest.mark.parametrize(
    ("own", "lacking"),
    [
        ("info", "demofs=trace"),
        ("warn,demofs=debug", "demofs=trace"),
        ("trace,demofs=info", "demofs=trace"),
        ("trace", None),
        ("info,demofs=trace", None),
        ("demofs", None),
        ("off,demofs=TRACE", None),
    ],
)
def test_a_filter_is_held_against_the_one_that_is_needed(own, lacking) -> None:
    support = ProfilerSupport("trace-chrome", log_filter=("RUST_LOG", "warn,demofs=trace"))
    assert [each.lacking for each in replaced([support], {"RUST_LOG": own})] == ([lacking] if lacking else [])
    assert not list(replaced([support], {"OTHER": own}))


def test_check_names_the_variant_the_profiler_and_the_mend(checkout: Path, tmp_path: Path) -> None:
    path = tmp_path / "filtered.yaml"
    path.write_text(TEXT)
    lines = list(map(str, replaced_filters(load_experiment(path, checkout))))
    assert len(lines) == 3, "perf needs no filter, and the baseline has the target's"
    assert lines[0].startswith(
        "note: variant loud: RUST_LOG=info of the variant takes the place of the filter"
    )
    assert "trace-chrome needs, and lacks demofs=trace" in lines[0]
    assert "add tokio=trace,runtime=trace to it" in lines[2]
