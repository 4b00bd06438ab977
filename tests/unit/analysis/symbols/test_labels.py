"""What one run counted is in no name that is compared; what somebody meant stays."""

import pytest

from fuselab.analysis.symbols.demangle import demangle
from fuselab.analysis.symbols.labels import of_file, of_instance


@pytest.mark.parametrize(
    ("one", "other", "shared"),
    [
        ("ThreadId(2)", "ThreadId(5)", "[thread]"),
        ("ThreadId(1)-main", "main", "main"),
        ("tokio-rt-worker-12", "tokio-rt-worker-3", "tokio-rt-worker"),
        ("pool-1-thread-7", "pool-2-thread-31", "pool-N-thread"),
        ("rocksdb:low3", "rocksdb:low0", "rocksdb:low"),
        ("conn-127.0.0.1:43210", "conn-127.0.0.1:51234", "conn"),
        ("worker (pid 4711)", "worker (pid 12)", "worker (pid N)"),
        ("job 0x7f12ab00 run", "job 0x55ee0100 run", "job N run"),
        ("io 550e8400-e29b-41d4-a716-446655440000", "io 123e4567-e89b-12d3-a456-426614174000", "io"),
        ("watch /tmp/abc12/x", "watch /tmp/zz9/x", "watch N/x"),
        ("watch .tmpA1b2C3", "watch .tmpZ9y8X7", "watch"),
        # The kernel keeps 15 bytes: cargo's hash is cut in the middle.
        ("mybench_n-3f2a9", "mybench_n-0b17c", "mybench_n"),
        ("cpu 5/6 7.8: 9", "cpu 1/2 3.4: 5", "cpu"),
    ],
)
def test_threads_meet_whatever_numbers_they_got(one: str, other: str, shared: str) -> None:
    assert of_instance(one) == of_instance(other) == shared


@pytest.mark.parametrize(
    ("one", "other"),
    [("reader-1", "writer-1"), ("pool-1-read", "pool-1-write"), ("deadbeef", "facade"), ("tmpfs", "tmp")],
)
def test_threads_of_different_names_stay_apart(one: str, other: str) -> None:
    assert of_instance(one) != of_instance(other)


def test_numbers_in_functions_are_meant() -> None:
    names = [
        "read_u32",
        "read_u64",
        "sha1",
        "sha256",
        "level_1",
        "level_2",
        "main.func1",
        "f.constprop.0",
        "operator new",
    ]
    assert demangle(names) == {name: name for name in names}


def test_what_a_build_appends_is_not_meant() -> None:
    assert demangle(["f.llvm.123456789"]) == {"f.llvm.123456789": "f"}
    assert of_file("/x/target/release/deps/bench-0123456789abcdef") == "[bench]"
    assert of_file("/x/libplugin-0123456789abcdef.so") == "[libplugin.so]"
    assert of_file("/usr/lib/libc.so.6") == "[libc.so.6]"


def test_a_file_that_a_run_made_for_itself_has_no_number_of_it() -> None:
    assert of_file("/tmp/perf-4711.map") == of_file("/tmp/perf-12.map")
    assert of_file("/tmp/unpacked-1f2e3d4c5b-native.so") == "[unpacked-N-native.so]"
    assert of_file("/opt/fs/server (deleted)") == "[server]"
