"""A thread is idle where the kernel, or the loop of its runtime, says that there is nothing to do; and nowhere else."""

import pytest

from fuselab.analysis.perf.idle import is_idle

READS = ["fuse_session_receive_buf", "read", "entry_SYSCALL_64_[k]", "vfs_read_[k]", "fuse_dev_read_[k]"]
SLEEPS = ["schedule_[k]", "__schedule_[k]"]
WORKER = "tokio::runtime::scheduler::multi_thread::worker"
POOL = "tokio::runtime::blocking::pool::Inner::run"
NEWER_POOL = [POOL, "tokio::runtime::blocking::pool::LockedImpl::run_worker"]
RAYON = [
    "rayon_core::registry::WorkerThread::wait_until",
    "rayon_core::registry::WorkerThread::wait_until_cold",
]
EPOLL = ["epoll_wait", "do_epoll_wait_[k]", "schedule_hrtimeout_range_[k]", *SLEEPS]
FUTEX = ["syscall", "__x64_sys_futex_[k]", "futex_wait_[k]", "__futex_wait_[k]", "futex_do_wait_[k]", *SLEEPS]


@pytest.mark.parametrize(
    "stack",
    [
        [*READS, "fuse_dev_do_read_[k]", *SLEEPS],
        [*READS, "fuse_dev_do_read.isra.0_[k]", *SLEEPS],
        ["main", "fuse_session_loop", "splice", "fuse_dev_splice_read_[k]", "fuse_dev_do_read_[k]", *SLEEPS],
        [f"{WORKER}::run", f"{WORKER}::Context::park", "mio::poll::Poll::poll", *EPOLL],
        [f"{WORKER}::run", f"{WORKER}::Context::park_internal", "parking_lot::Condvar::wait", *FUTEX],
        [POOL, "tokio::loom::std::parking_lot::Condvar::wait_timeout", *FUTEX],
        [*NEWER_POOL, "std::sync::poison::condvar::Condvar::wait_timeout", *FUTEX],
        ["runtime.mcall", "runtime.schedule", "runtime.findRunnable", "runtime.stopm", "runtime.futexsleep", *FUTEX],
        ["runtime.mcall", "runtime.findRunnable", "runtime.netpoll", "runtime.epollwait", *EPOLL],
        # In assembly without a frame of its own (Go 1.19): who called it, netpoll, is not in the stack.
        ["runtime.mcall", "runtime.park_m", "runtime.findRunnable", "runtime.epollwait", *EPOLL],
        ["runtime.findRunnable", "runtime.stealWork", "runtime.runqgrab", "runtime.usleep", *SLEEPS],
        ["runtime.mstart", "runtime.sysmon", "runtime.usleep", *SLEEPS],
        [*RAYON, "rayon_core::sleep::Sleep::sleep", "std::sync::poison::condvar::Condvar::wait", *FUTEX],
    ],
)  # fmt: skip
def test_who_looks_for_work_is_idle(stack: list[str]) -> None:
    assert is_idle(stack)


@pytest.mark.parametrize(
    "stack",
    [
        [],
        # A request is copied to the program, and its page is not there.
        [*READS, "fuse_dev_do_read_[k]", "fuse_copy_fill_[k]", "handle_mm_fault_[k]", "io_schedule_[k]", *SLEEPS],
        ["main", "serves", "read", "pipe_read_[k]", *SLEEPS],
        # An event loop of one thread: it may wait for the reply of a server.
        ["main", "event_loop", *EPOLL],
        ["main", "event_loop", "io_uring_enter", "io_cqring_wait_[k]", *SLEEPS],
        # A runtime of one's own in the midst of a request.
        ["myfs::write", "tokio::runtime::scheduler::current_thread::Context::park", *EPOLL],
        [f"{WORKER}::run", "myfs::write::{{closure}}", "std::sync::mutex::Mutex::lock", *FUTEX],
        # A thread of the pool that has a job, which waits.
        [POOL, "tokio::runtime::task::raw::RawTask::poll", "myfs::sync", "parking_lot::Condvar::wait", *FUTEX],
        [*NEWER_POOL, "tokio::runtime::blocking::pool::Task::run", "myfs::sync", "std::sync::Condvar::wait", *FUTEX],
        # Half of its job is somebody else's, and not done yet.
        [*RAYON, "rayon_core::job::StackJob::execute", *RAYON, "rayon_core::sleep::Sleep::sleep", *FUTEX],
        ["runtime.goexit", "main.serve", "runtime.lock2", "runtime.futexsleep", *FUTEX],
    ],
)  # fmt: skip
def test_who_waits_for_something_else_is_not(stack: list[str]) -> None:
    assert not is_idle(stack)
