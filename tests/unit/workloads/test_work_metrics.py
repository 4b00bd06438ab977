"""What runs of fixed work have counted becomes figures per operation, and what one variant never does is 0."""

from __future__ import annotations

from dataclasses import replace

from fuselab.records.work import COUNTERS, REQUESTS, SYSCALLS, Counted, Work
from fuselab.workloads.work_metrics import metrics, with_zeros

TARGET = Counted(
    totals={
        "syscalls": 300,
        "fuse_requests": 104,
        "cpu_ns": 5e6,
        "disk_write_bytes": 8192,
        "peak_memory_bytes": 4e6,
    },
    families={SYSCALLS: {"pwrite64": 200, "read": 100}, REQUESTS: {"WRITE": 100, "LOOKUP": 4}},
)
RUN = Work(operations=100, bytes=4096, written_bytes=4096, target=TARGET)


def figures(work: Work) -> dict[str, float]:
    return {metric.name: metric.value for metric in metrics(work)}


def test_each_count_is_divided_by_the_operations_of_the_load() -> None:
    assert figures(RUN) == {
        "work.syscalls_per_op": 3.0,
        "work.pwrite64_per_op": 2.0,
        "work.read_per_op": 1.0,
        "work.fuse_requests_per_op": 1.04,
        "work.fuse_requests.WRITE_per_op": 1.0,
        "work.fuse_requests.LOOKUP_per_op": 0.04,
        "work.cpu_ns_per_op": 50_000.0,
        "work.disk_write_bytes_per_op": 81.92,
        "work.write_amplification": 2.0,
        "work.peak_memory_bytes": 4e6,
    }


def test_a_load_without_operations_is_counted_per_run() -> None:
    counted = figures(replace(RUN, operations=0, written_bytes=0))
    assert counted["work.syscalls"] == 300
    assert counted["work.fuse_requests.WRITE"] == 100
    assert "work.write_amplification" not in counted


def test_the_service_and_what_programs_count_themselves_stand_under_their_own_names() -> None:
    service = Counted({"syscalls": 50}, {COUNTERS: {"range": 200}})
    counted = figures(replace(RUN, services={"": service}))
    assert counted["work.service.syscalls_per_op"] == 0.5
    assert counted["work.service.counter.range_per_op"] == 2.0


def test_what_only_one_variant_does_is_0_for_the_other() -> None:
    more = replace(TARGET, families={**TARGET.families, SYSCALLS: {"pwrite64": 200, "fdatasync": 100}})
    plain, other = with_zeros([RUN, replace(RUN, target=more)])
    assert figures(plain)["work.fdatasync_per_op"] == 0
    assert figures(other)["work.read_per_op"] == 0
    assert figures(other)["work.fdatasync_per_op"] == 1


def test_what_could_not_be_counted_is_no_0() -> None:
    blind = replace(RUN, target=Counted({"cpu_ns": 1.0}), unavailable={"syscalls": "perf lost 3 records"})
    _, filled = with_zeros([RUN, blind])
    assert figures(filled) == {"work.cpu_ns_per_op": 0.01}


def test_what_the_service_does_is_no_0_of_the_target() -> None:
    served = replace(RUN, services={"": Counted({"syscalls": 1}, {SYSCALLS: {"epoll_wait": 1}})})
    assert "work.epoll_wait_per_op" not in figures(with_zeros([served])[0])
