"""What fixed work makes a stranger's filesystem do is counted: each call that was planted, and no other's."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.mount.rig.conftest import Rig
from tests.mount.rig.test_cannot_look import EMPTY, OLD
from tests.mount.rig.test_unprivileged import run, users_rig  # noqa: F401  a fixture

from fuselab.files import read_json
from fuselab.records.places import RUN, WORK
from fuselab.records.request import Load
from fuselab.records.work import REQUESTS, SYSCALLS, Work
from fuselab.targets.model import ONLY, Service, Stopping

pytestmark = pytest.mark.mount

WRITES = 300


def writes(**options: str) -> Load:
    job = {"rw": "write", "bs": "4k", "size": f"{4 * WRITES}k", "direct": "1", **options}
    return Load("fio", "w", {"jobs": {"job": job}, "global": {}}, randseed=1)


def counted(rig: Rig, plainfs: Path, *knobs: str, **changes) -> Work:
    argv = (str(plainfs), "{state}", *knobs, "{mountpoint}", "-f")
    asked = {"argv": argv, "load": writes(), **changes}
    record, out = rig.run(purpose="work", binary=str(plainfs), **asked)
    assert record.status == "ok", record.reason
    return read_json(out / WORK, Work)


def test_calls_that_were_planted_are_counted_by_name(rig: Rig, plainfs: Path) -> None:
    # The kernel asks for names and attributes once more when it may keep them no longer: else a matter of time.
    kept = ("-o", "entry_timeout=600,attr_timeout=600")
    plain = counted(rig, plainfs, *kept)
    more = counted(rig, plainfs, *kept, "--more-pwrites=2", "--sync-every=100")
    assert plain.operations == WRITES
    assert plain.target.families[SYSCALLS]["pwrite64"] == WRITES
    assert more.target.families[SYSCALLS]["pwrite64"] == 3 * WRITES
    assert "fsync" not in plain.target.families[SYSCALLS]
    assert more.target.families[SYSCALLS]["fsync"] == WRITES // 100
    assert more.target.totals["syscalls"] == sum(more.target.families[SYSCALLS].values())
    assert plain.target.families[REQUESTS] == more.target.families[REQUESTS]
    assert plain.target.families[REQUESTS]["WRITE"] == WRITES
    assert plain.target.totals["disk_write_bytes"] == pytest.approx(plain.written_bytes, rel=0.05)
    # The only thread that serves sleeps where the next write is not there yet: mostly, but not on a busy machine.
    assert 0 < plain.target.totals["context_switches_voluntary"] <= 2 * WRITES


def test_what_a_load_reads_was_made_before_anything_is_counted(rig: Rig, plainfs: Path) -> None:
    work = counted(rig, plainfs, load=writes(rw="randread"))
    assert work.operations == WRITES
    assert work.target.families[REQUESTS]["READ"] == WRITES
    assert "WRITE" not in work.target.families[REQUESTS]
    assert "pwrite64" not in work.target.families[SYSCALLS]


def test_calls_are_those_that_strace_counts(rig: Rig, plainfs: Path) -> None:
    """strace counts for as long as the target lives: these calls it makes under the load alone."""
    log = rig.root / "strace.txt"
    strace = ("strace", "-f", "-c", "-o", str(log))
    argv = (*strace, str(plainfs), "{state}", "--more-pwrites=1", "--sync-every=50", "{mountpoint}", "-f")
    record, out = rig.run(purpose="work", argv=argv, load=writes(), stop=Stopping("unmount", "TERM", 20.0))
    assert record.status == "ok", record.reason
    seen = {
        words[-1]: int(words[3]) for words in map(str.split, log.read_text().splitlines()) if _is_row(words)
    }
    ours = read_json(out / WORK, Work).target.families[SYSCALLS]
    assert {name: seen[name] for name in ("pwrite64", "fsync")} == {
        "pwrite64": 2 * WRITES,
        "fsync": WRITES // 50,
    }
    assert {name: ours[name] for name in ("pwrite64", "fsync")} == {
        "pwrite64": 2 * WRITES,
        "fsync": WRITES // 50,
    }


def _is_row(words: list[str]) -> bool:
    return len(words) >= 5 and words[3].isdigit()


def test_requests_of_all_mounts_are_counted_and_of_no_other(rig: Rig, plainfs: Path) -> None:
    both = {"directory": "{mountpoint2}"}
    job = {"rw": "write", "bs": "4k", "size": f"{4 * WRITES}k", "direct": "1"}
    load = Load("fio", "w", {"jobs": {"one": job, "two": {**job, **both}}, "global": {}}, randseed=1)
    work = counted(rig, plainfs, load=load, mounts=2)
    assert work.operations == 2 * WRITES
    assert work.target.families[REQUESTS]["WRITE"] == 2 * WRITES
    assert work.target.families[SYSCALLS]["pwrite64"] == 2 * WRITES


@pytest.fixture
def block_device(tmp_path: Path) -> Iterator[str]:
    """One that nobody else uses: a filesystem on it is a mount with a device number that is not its own."""
    image = tmp_path / "image"
    with image.open("wb") as file:
        file.truncate(1 << 20)
    made = subprocess.run(
        ("losetup", "-f", "--show", str(image)), capture_output=True, text=True, check=False
    )
    if made.returncode != 0:
        pytest.skip(f"no loop device can be made here: {made.stderr.strip()}")
    yield made.stdout.strip()
    subprocess.run(("losetup", "-d", made.stdout.strip()), check=True)


def test_requests_of_a_mount_on_a_block_device_are_counted(
    rig: Rig, plainfs: Path, block_device: str
) -> None:
    """`fuseblk`, as ntfs-3g has it: the kernel calls the connection by major and minor number."""
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f", "-o", f"blkdev,fsname={block_device}")
    work = counted(rig, plainfs, argv=argv)
    assert work.target.families[REQUESTS]["WRITE"] == WRITES
    assert work.target.families[SYSCALLS]["pwrite64"] == WRITES


def test_what_a_service_does_is_apart(rig: Rig, plainfs: Path) -> None:
    """A server that answers: the target's own calls are not among its, nor the other way round."""
    service = Service("store", ("python3", "-m", "http.server", "{port}"), 7788)
    asking = "import urllib.request as u; [u.urlopen('http://127.0.0.1:7788').read() for _ in range(20)]"
    load = Load("command", "w", {"argv": ("python3", "-c", asking), "expect_exit": 0}, randseed=1)
    work = counted(rig, plainfs, load=load, service=service)
    assert work.services[ONLY].families[SYSCALLS]["accept4"] == pytest.approx(20, abs=1)
    assert "accept4" not in work.target.families[SYSCALLS]
    assert work.operations == 0


def test_a_timed_run_is_looked_at_by_nobody(rig: Rig, plainfs: Path) -> None:
    argv = (str(plainfs), "{state}", "{mountpoint}", "-f")
    perf = 'pgrep -x perf > "$1" || true'
    load = Load("command", "w", {"argv": ("sh", "-c", perf, "sh", str(rig.root / "perfs")), "expect_exit": 0})
    for purpose, looked in (("timed", False), ("work", True)):
        _, out = rig.run(purpose=purpose, argv=argv, binary=str(plainfs), load=load)
        assert bool((rig.root / "perfs").read_text()) == looked
        assert (out / WORK).exists() == looked
        assert (out / RUN).exists() != looked, "whoever reads it looks for a load that lasted"


@pytest.mark.parametrize("events", ["/sys/kernel/tracing", OLD])
def test_what_the_kernel_does_not_tell_of_is_said_and_the_rest_is_there(rig: Rig, events: str) -> None:
    request = rig.request(purpose="work", load=writes())
    prefix = ("unshare", "--mount", "sh", "-c", EMPTY, "sh")
    job = rig.job(request, prefix=prefix, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "EVENTS": events})
    said, _ = job.communicate(timeout=120)
    assert job.returncode == 0, said
    work = read_json(Path(request.out) / WORK, Work)
    assert (
        "Linux 6.12" in work.unavailable["fuse_requests"]
        or "may not be read" in work.unavailable["fuse_requests"]
    )
    assert REQUESTS not in work.target.families
    assert work.target.totals.keys() >= {"cpu_ns", "page_faults", "disk_write_bytes", "peak_memory_bytes"}


def test_a_user_without_root_counts_what_he_may(users_rig) -> None:  # noqa: F811
    if int(Path("/proc/sys/kernel/perf_event_paranoid").read_text()) < 0:
        pytest.skip("users may see the system calls here")
    request = users_rig.request(purpose="work", load=writes())
    assert run(users_rig, request)["status"] == "ok"
    work = read_json(Path(request.out) / WORK, Work)
    assert {
        "syscalls",
        "fuse_requests",
        "context_switches_voluntary",
        "instructions",
    } <= work.unavailable.keys()
    assert work.operations == WRITES
    assert work.target.totals.keys() >= {"cpu_ns", "page_faults", "disk_write_bytes", "peak_memory_bytes"}


def test_of_a_folder_that_is_no_mount_nothing_is_counted_and_that_is_said(rig: Rig) -> None:
    record, out = rig.run(purpose="work", argv=(), load=writes())
    assert record.status == "ok", record.reason
    work = read_json(out / WORK, Work)
    assert (work.operations, work.target.totals) == (WRITES, {})
    assert set(work.unavailable.values()) == {"nothing is mounted: the load is in a plain folder"}
