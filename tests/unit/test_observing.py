"""A capture says what looking took, and when the profile is not of all that the target did."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuselab.files import write_json
from fuselab.profilers.capture import CaptureFolder
from fuselab.profilers.observing import disagreement_notes, observed_figures, observer_notes
from fuselab.records.run import TargetUse


@pytest.fixture
def capture(tmp_path: Path, run_record):
    """A capture of ten seconds in which the target used 2 s, and perf `observer_s`."""

    def capture(observer_s: float | None = None, target_s: float | None = 2.0) -> CaptureFolder:
        folder = tmp_path / str(len(list(tmp_path.iterdir())))
        folder.mkdir()
        record = run_record(
            load_window_s=(100.0, 110.0),
            target=None if target_s is None else TargetUse(target_s, None, 0, 0),
            observers_s={} if observer_s is None else {"perf-oncpu": observer_s},
        )
        write_json(folder / "run.json", record)
        return CaptureFolder(folder, 1, Path("program"), 0, 0)

    return capture


def data(folder: Path, megabytes: int) -> None:
    with (folder / "perf.data").open("wb") as file:
        file.truncate(megabytes << 20)


def test_a_profiler_that_spins_is_told_with_its_share_of_a_core(capture):
    found = [capture(0.01), capture(15.5), capture(12.0)]
    for each in found:
        data(each.folder, 1)
    (note,) = observer_notes(found)
    assert "155% of a core" in note


@pytest.mark.parametrize(
    ("used_s", "megabytes", "said"), [(0.45, 1, False), (0.55, 1, True), (0.55, 100, False), (2.0, 100, True)]
)
def test_five_percent_of_a_core_are_free_and_samples_may_cost_what_writing_them_costs(
    capture, used_s, megabytes, said
):
    """0.5 s of the 10 s; 100 MiB are worth half a second more."""
    each = capture(used_s)
    data(each.folder, megabytes)
    assert bool(observer_notes([each])) == said


def test_a_profiler_without_processes_of_its_own_took_nothing(capture):
    each = capture()
    assert observer_notes([each]) == ()
    assert observed_figures([each]) == {}


def test_what_looking_took_stands_beside_what_the_target_used(capture):
    found = observed_figures([capture(0.25), capture(0.5)])
    assert found == {"observer_cpu_ns": 750_000_000, "target_cpu_ns": 4_000_000_000}


@pytest.mark.parametrize("seen_s", [0.6, 3.1])
def test_a_profile_that_misses_or_invents_cpu_time_names_both_figures(capture, seen_s):
    found = [capture(), capture()]
    (note,) = disagreement_notes(found, [2_010_000_000, round(seen_s * 1e9)], [2010, round(seen_s * 1000)])
    assert f"perf saw {seen_s:.2f} s" in note
    assert "used 2.00 s" in note


def test_a_profile_of_all_cpu_time_or_of_few_samples_is_not_doubted(capture):
    assert disagreement_notes([capture()], [1_500_000_000], [1500]) == (), "the scheduler is never sampled"
    assert disagreement_notes([capture(target_s=0.04)], [50_000_000], [50]) == ()
    assert disagreement_notes([capture(target_s=None)], [50_000_000], [50]) == (), "a bench has no target"
