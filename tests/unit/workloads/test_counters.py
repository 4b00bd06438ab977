"""A work counter is known by its name alone: what it counts, in what, and that it is counted."""

from __future__ import annotations

import pytest

from fuselab.workloads import quantity


@pytest.mark.parametrize(
    ("metric", "unit", "noun"),
    [
        ("work.syscalls_per_op", "1", "system calls per operation"),
        ("work.fdatasync_per_op", "1", "`fdatasync` per operation"),
        ("work.fuse_requests_per_op", "1", "FUSE requests per operation"),
        ("work.fuse_requests.WRITE_per_op", "1", "FUSE requests per operation, WRITE"),
        ("work.context_switches_voluntary_per_op", "1", "voluntary context switches per operation"),
        ("work.disk_write_bytes_per_op", "B", "bytes written to disk per operation"),
        ("work.write_amplification", "1", "bytes written to disk per byte of the load"),
        ("work.cpu_ns_per_op", "ns", "CPU time per operation"),
        ("work.peak_memory_bytes", "B", "peak memory"),
        ("work.service.pwrite64_per_op", "1", "`pwrite64` per operation of the service"),
        ("work.service.counter.range_per_op", "1", "`range` per operation of the service"),
        ("work.service.meta.pwrite64_per_op", "1", "`pwrite64` per operation of the service `meta`"),
        ("work.service.data2.counter.puts_per_op", "1", "`puts` per operation of the service `data2`"),
        ("work.counter.cache.misses_per_op", "1", "`cache.misses` per operation"),
    ],
)
def test_a_counter_is_told_by_its_name(metric: str, unit: str, noun: str) -> None:
    counted = quantity(metric)
    assert (counted.unit, counted.phrase.noun, counted.better) == (unit, noun, "lower")
    assert counted.counted
    assert (counted.phrase.more, counted.phrase.less) == ("more", "less")


@pytest.mark.parametrize(
    ("metric", "total"),
    [
        ("work.pwrite64_per_op", "work.syscalls_per_op"),
        ("work.service.pwrite64_per_op", "work.service.syscalls_per_op"),
        ("work.service.meta.pwrite64_per_op", "work.service.meta.syscalls_per_op"),
        ("work.fuse_requests.WRITE_per_op", "work.fuse_requests_per_op"),
        ("work.fuse_requests_per_op", ""),
        ("work.counter.range_per_op", ""),
    ],
)
def test_one_kind_of_call_is_part_of_all_calls(metric: str, total: str) -> None:
    assert quantity(metric).part_of == total


def test_what_a_clock_measures_is_not_counted() -> None:
    assert not quantity("write.bw").counted
    assert not quantity("write.p99").counted
    assert not quantity("somebody.elses").counted
