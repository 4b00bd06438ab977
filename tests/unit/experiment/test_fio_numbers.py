"""What fio takes and reads as something else is refused, with the spelling that means what was written."""

import pytest

from fuselab.schema import units
from fuselab.schema.errors import ExperimentErrors
from fuselab.workloads.fio import numbers

LOAD = "workloads: {{w: {{fio: {{rw: write, bs: 4k, {}}}}}}}\n"
TWO = "target: demo\nvariants: {old: {}, new: {options: {cache: 64m}}}\n"


def faults(read, options: str, head: str = TWO) -> ExperimentErrors:
    with pytest.raises(ExperimentErrors) as raised:
        read(head, LOAD.format(options))
    return raised.value


@pytest.mark.parametrize(
    ("options", "mend"),
    [
        ("size: 1m, runtime: 0.5s", "500ms"),
        ("size: 1m, runtime: 1.5s", "1500ms"),
        ("size: 1m, runtime: 0.5", "500ms"),
        ("size: 1m, ramp_time: 1.5m", "90s"),
        ("size: 1.5m", "1536k"),
        ("size: 1.5 MB", "1536k"),
        ("size: 1m, io_size: 0.5g", "512m"),
        ("size: 1m, filesize: 1.5k", "1536"),
        ("size: 1m, startdelay: 0.5s", "500ms"),
        ("size: 1m, thinktime: 1.5ms", "1500us"),
        ("size: 1m, bsrange: 1.5k-4k", "1536-4k"),
        ("size: 1m, rate: 1.5m", "1536k"),
    ],
)
def test_a_fraction_is_refused_and_written_in_a_smaller_unit(read, options, mend):
    [problem] = faults(read, options).problems
    assert problem.suggestion == mend
    assert "fio reads no fractions" in problem.message


@pytest.mark.parametrize("options", ["size: 1.3k", "size: 1m, runtime: 1.5us"])
def test_what_no_unit_can_say_has_no_spelling(read, options):
    [problem] = faults(read, options).problems
    assert problem.suggestion is None


@pytest.mark.parametrize(
    "options", ["size: 0m", "size: 1m, runtime: 0ms", "size: 1m, runtime: 0", "size: 0%", "size: 1m, bs: 0"]
)
def test_a_load_of_nothing_is_refused(read, options):
    [problem] = faults(read, options.replace("size: 1m, bs", "size: 1m, blocksize")).problems
    assert "is more than 0" in problem.message


def test_a_time_without_a_unit_is_seconds_as_fio_has_it(read):
    load = "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, runtime: 5}}}\n"
    assert read(TWO, load).experiment.workloads[0].settings["jobs"]["w"]["runtime"] == "5"


@pytest.mark.parametrize("options", ["size: -1", "size: 1m, runtime: -5", "size: 1m, runtime: true"])
def test_what_is_no_number_of_fio_is_refused_without_a_guess(read, options):
    [problem] = faults(read, options).problems
    assert problem.suggestion is None


def test_no_ramp_is_0_and_our_own_timeout_may_have_a_fraction(read):
    load = "workloads: {w: {fio: {rw: write, bs: 4k, size: 1m, ramp_time: 0}, timeout: 1.5s}}\n"
    assert read(TWO, load).experiment.workloads[0].timeout_s == 1.5


def test_a_variant_s_own_options_and_a_job_file_are_held_to_it_too(read, repository):
    own = "target: demo\nvariants: {old: {}, new: {fio: {startdelay: 1.5s}}}\n"
    [problem] = faults(read, "size: 1m", own).problems
    assert problem.key == "variants.new.fio.startdelay"
    (repository / "experiments" / "half.fio").write_text("[half]\nrw=write\nsize=1.5m\n")
    with pytest.raises(ExperimentErrors, match=r"\[half\] size=1\.5m: fio reads no fractions.*write 1536k"):
        read(TWO, "workloads: {w: {fio: {file: half.fio}}}\n")


@pytest.mark.parametrize("text", ["3s", "500ms", "64m", "10%", "4k,128k", "$((2*4))k", "0x1000"])
def test_whole_numbers_and_what_fio_works_out_pass(text):
    assert numbers.fault("runtime" if text.endswith("s") else "size", text) is None
    assert numbers.fault("description", "0.5s") is None


@pytest.mark.parametrize(("text", "mend"), [("8q", None), ("3s", None), ("10 MB", "10MB"), ("4k-8x", None)])
def test_a_unit_that_fio_does_not_know_and_passes_over_is_refused(text, mend):
    fault = numbers.fault("rate", text)
    assert fault is not None
    assert fault.mend == mend


def test_the_largest_unit_that_is_whole_is_taken():
    assert units.whole("time", "1.5h") == "90m"
    assert units.whole("size", "0.5G") == "512m"
    assert units.whole("size", "1.5MiB") == "1536k"
