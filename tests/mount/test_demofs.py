"""demofs is a filesystem: what a program may expect of one holds on every metadata store, and over a remount.

Each mount lives in namespaces of its own, looked at from here through /proc/<pid>/root: whatever happens to a
test, its mount and its etcd are gone with it. `DEMOFS_BINARY` names a binary to try instead of building one.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import signal
import stat
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from fuselab.building.build import make_build
from fuselab.building.cargo import cargo_env
from fuselab.building.request import BuildRequest, build_request
from fuselab.experiment.model import Variant
from fuselab.targets.loading import load_target

pytestmark = [
    pytest.mark.mount,
    pytest.mark.skipif(os.geteuid() != 0, reason="looks into another mount namespace, which only root may"),
]

BACKENDS = ("memory", "sqlite", "etcd")
WALLS = ("unshare", "--mount", "--pid", "--fork", "--kill-child=KILL", "--mount-proc", "--net")
START_ETCD = """
etcd --data-dir {data} >{log} 2>&1 &
until ETCDCTL_API=3 etcdctl endpoint health >/dev/null 2>&1; do sleep 0.05; done
"""
CUT_OFF = "not connected|connection abort"
# The folders of pytest above a mount point are closed to others, so nobody comes in by the working folder.
AS_NOBODY = 'cd "$1" && exec setpriv --reuid=65534 --regid=65534 --clear-groups cat "$2"'


@dataclass
class Mount:
    """A demofs at work."""

    process: subprocess.Popen[str]
    pid: int
    mountpoint: Path
    log: Path

    @property
    def root(self) -> Path:
        """The mount point as its own mount namespace sees it."""
        return Path(f"/proc/{self.pid}/root{self.mountpoint}")

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ask it to stop; its exit code."""
        os.kill(self.pid, number)
        return self.process.wait(timeout=30)

    def must_be_calm(self) -> None:
        """Nothing in its log is a complaint."""
        log = self.log.read_text()
        assert "serving" in log
        for word in ("ERROR", "cannot", "failed", "panicked"):
            assert word not in log, log

    def inside(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a shell script in the mount's own mount namespace."""
        argv = ["nsenter", "-t", str(self.pid), "-m", "sh", "-c", script, "sh", *words]
        return subprocess.run(argv, text=True, capture_output=True)


@pytest.fixture(scope="session")
def build(checkout: Path) -> BuildRequest:
    """The plain build, as every experiment has it: what it depends on is compiled already."""
    spec = build_request(load_target("demofs", checkout), Variant("baseline", "demofs", "sqlite"))
    assert spec is not None
    return spec


@pytest.fixture(scope="session")
def demofs(checkout: Path, build: BuildRequest, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The program."""
    if given := os.environ.get("DEMOFS_BINARY"):
        return given
    folder = tmp_path_factory.mktemp("build")
    return str(folder / make_build(build, load_target("demofs", checkout).build, folder).binary)


@contextmanager
def serving(
    program: str | Path,
    folder: Path,
    backend: str = "sqlite",
    *arguments: str,
    prefix: str = "",
    user: int = 0,
) -> Iterator[Mount]:
    """Mount on <folder>/mnt with the state in <folder>/state. `prefix` is shell text to run before."""
    mountpoint, log = folder / "mnt", folder / "log"
    mountpoint.mkdir(exist_ok=True)
    os.chown(mountpoint, user, user)
    words = [program, "mount", mountpoint, "--state", folder / "state", "--meta-backend", backend, *arguments]
    if user:
        words = ["setpriv", f"--reuid={user}", f"--regid={user}", "--clear-groups", "--", *words]
    etcd = START_ETCD.format(data=folder / "etcd", log=folder / "etcd.log") if backend == "etcd" else ""
    script = f"ip link set lo up\n{etcd}\n{prefix}\nexec {shlex.join(map(str, words))} 2>>{log}"
    process = subprocess.Popen(["setpriv", "--pdeathsig", "KILL", *WALLS, "sh", "-c", script], text=True)
    try:
        yield wait_until_ready(process, mountpoint, log)
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def mounted(demofs: str, tmp_path: Path) -> Callable[..., AbstractContextManager[Mount]]:
    """Mounts the program under test; the folder, and so the state, stays the same within a test."""
    return partial(serving, demofs, tmp_path)


def wait_until_ready(process: subprocess.Popen[str], mountpoint: Path, log: Path) -> Mount:
    children = Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        assert process.poll() is None, f"exit {process.returncode}: {log.read_text()}"
        for pid in children.read_text().split():
            mount = Mount(process, int(pid), mountpoint, log)
            mounts = Path(f"/proc/{pid}/mountinfo").read_text()
            if f" {mountpoint} " in mounts and " fuse.demofs " in mounts:
                return mount
        time.sleep(0.02)
    raise AssertionError(f"not mounted after 30 s: {log.read_text() if log.exists() else 'no log'}")


@contextmanager
def opened(path: Path) -> Iterator[int]:
    """A new file whose filesystem may be gone when it is closed, which close(2) reports."""
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        yield handle
    finally:
        with suppress(OSError):
            os.close(handle)


def fio(folder: Path, **options: object) -> subprocess.CompletedProcess[str]:
    words = [f"--{name}={value}" for name, value in ({"name": "job", "directory": folder} | options).items()]
    return subprocess.run(["fio", "--output-format=json", *words], text=True, capture_output=True, cwd=folder)


@pytest.mark.parametrize("backend", BACKENDS)
def test_files_and_names_work_as_posix_says(mounted, backend):
    with mounted(backend) as mount:
        root = mount.root
        (root / "d/e").mkdir(parents=True)
        file = root / "d/file"
        file.write_bytes(b"hello")
        assert file.read_bytes() == b"hello"
        with file.open("ab") as more:
            more.write(b" world")
        assert file.read_bytes() == b"hello world"

        with (root / "d/only").open("xb") as new:  # O_EXCL, as cp asks for it
            new.write(b"once")
        with pytest.raises(FileExistsError):
            (root / "d/only").open("xb")
        (root / "d/only").unlink()

        file.chmod(0o640)
        os.utime(file, ns=(1_000_000_001, -5))
        os.chown(file, 12, 34)
        status = file.stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid) == (0o640, 12, 34)
        assert (status.st_atime_ns, status.st_mtime_ns) == (1_000_000_001, -5)

        file.rename(root / "moved")
        assert not file.exists()
        os.link(root / "moved", root / "d/second")
        assert (root / "moved").stat().st_nlink == 2
        (root / "link").symlink_to("d/second")
        assert (root / "link").read_bytes() == b"hello world"
        assert os.readlink(root / "link") == "d/second"
        os.mkfifo(root / "pipe")
        assert stat.S_ISFIFO((root / "pipe").stat().st_mode)

        assert {entry.name for entry in root.iterdir()} == {"d", "moved", "link", "pipe"}
        with pytest.raises(OSError, match="Directory not empty"):
            (root / "d").rmdir()
        (root / "d/e").rmdir()
        (root / "d/second").unlink()
        (root / "d").rmdir()
        assert (root / "moved").stat().st_nlink == 1
        assert os.statvfs(root).f_blocks > 0
        assert mount.stop() == 0


@pytest.mark.parametrize("backend", BACKENDS)
def test_holes_and_what_was_cut_off_read_as_zeros(mounted, backend):
    with mounted(backend) as mount:
        file = mount.root / "sparse"
        with file.open("wb") as out:
            out.seek(9 << 20)
            out.write(b"end")
        assert file.stat().st_size == (9 << 20) + 3
        assert file.read_bytes() == bytes(9 << 20) + b"end"
        os.truncate(file, (9 << 20) + 1)
        os.truncate(file, (9 << 20) + 3)
        assert file.read_bytes()[-3:] == b"e\0\0"
        file.write_bytes(b"")
        assert file.stat().st_size == 0


def test_an_unlinked_file_lives_as_long_as_it_is_open(mounted, tmp_path):
    with mounted() as mount:
        file = mount.root / "gone"
        with file.open("w+b") as handle:
            handle.write(b"still here")
            handle.flush()
            file.unlink()
            os.fsync(handle.fileno())
            handle.seek(0)
            assert handle.read() == b"still here"
            assert os.fstat(handle.fileno()).st_nlink == 0
        assert mount.stop() == 0
    assert list((tmp_path / "state/chunks").iterdir()) == []


def test_a_directory_can_be_emptied_while_it_is_listed(mounted):
    with mounted() as mount:
        for number in range(700):
            (mount.root / f"file-with-a-long-name-{number:04}").touch()
        with os.scandir(mount.root) as entries:
            names = []
            for entry in entries:
                names.append(entry.name)
                os.unlink(entry.path)
        assert len(set(names)) == 700
        assert list(mount.root.iterdir()) == []


def test_the_kernel_checks_permissions(mounted):
    with mounted("sqlite") as mount:
        (mount.root / "secret").write_text("mine")
        (mount.root / "secret").chmod(0o600)
        (mount.root / "open").write_text("ours")
        (mount.root / "open").chmod(0o644)
        tries = [mount.inside(AS_NOBODY, str(mount.mountpoint), name) for name in ("open", "secret")]
        assert tries[0].stdout == "ours", tries[0].stderr
        assert tries[1].returncode != 0
        assert "Permission denied" in tries[1].stderr


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("direct", [0, 1])
def test_fio_reads_back_what_it_wrote(mounted, backend, direct):
    blocks = 50 if backend == "etcd" else 1000
    with mounted(backend) as mount:
        done = fio(mount.root, rw="randwrite", bs="20k", size=f"{20 * blocks}k", numjobs=2, verify="crc32c",
                   direct=direct, fsync=100)  # fmt: skip
        assert done.returncode == 0, done.stderr
        read_bytes = sum(job["read"]["io_bytes"] for job in json.loads(done.stdout)["jobs"])
        assert read_bytes == 2 * blocks * 20 * 1024
        assert mount.stop() == 0


@pytest.mark.parametrize("backend", ["sqlite", "etcd"])
def test_what_was_written_survives_a_remount(mounted, backend):
    with mounted(backend) as mount:
        (mount.root / "d").mkdir()
        (mount.root / "d/l").symlink_to("../f")
        (mount.root / "f").write_bytes(b"x" * 5_000_000)
        (mount.root / "f").chmod(0o604)
        assert fio(mount.root, rw="write", bs="64k", size="4m", verify="crc32c", do_verify=0).returncode == 0
        before = [(mount.root / name).lstat() for name in ("f", "d", "d/l")]
        assert mount.stop() == 0
    with mounted(backend) as mount:
        after = [(mount.root / name).lstat() for name in ("f", "d", "d/l")]
        for one, other in zip(before, after, strict=True):
            for field in ("st_ino", "st_mode", "st_nlink", "st_size", "st_mtime_ns"):
                assert getattr(one, field) == getattr(other, field), field
        assert (mount.root / "d/l").read_bytes() == b"x" * 5_000_000
        done = fio(mount.root, rw="read", bs="64k", size="4m", verify="crc32c")
        assert done.returncode == 0, done.stderr
        (mount.root / "new").touch()
        assert (mount.root / "new").stat().st_ino not in {one.st_ino for one in after}
        assert mount.stop() == 0


@pytest.mark.parametrize("backend", ["sqlite", "etcd"])
def test_a_killed_demofs_loses_nothing_that_was_written(mounted, backend):
    with mounted(backend) as mount:
        (mount.root / "f").write_bytes(b"y" * 300_000)
        with opened(mount.root / "unlinked") as handle:
            os.write(handle, b"z")
            (mount.root / "unlinked").unlink()
            os.kill(mount.pid, signal.SIGKILL)
            mount.process.wait(timeout=30)
            with pytest.raises(OSError, match=CUT_OFF):
                os.fstat(handle)
    with mounted(backend) as mount:
        assert (mount.root / "f").read_bytes() == b"y" * 300_000
        assert [entry.name for entry in mount.root.iterdir()] == ["f"]


def test_in_memory_nothing_survives(mounted):
    with mounted("memory") as mount:
        (mount.root / "f").write_text("short-lived")
        assert mount.stop() == 0
    with mounted("memory") as mount:
        assert list(mount.root.iterdir()) == []


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("prefix", ["", "trap '' INT TERM"], ids=["default", "inherited-ignored"])
def test_it_stops_when_asked(mounted, number, prefix):
    with mounted(prefix=prefix) as mount:
        (mount.root / "f").write_text("kept")
        assert mount.stop(number) == 0
        mount.must_be_calm()


def test_it_ends_by_itself_when_it_is_unmounted(mounted):
    with mounted() as mount:
        subprocess.run(
            ["nsenter", "-t", str(mount.pid), "-m", "fusermount3", "-u", mount.mountpoint], check=True
        )
        assert mount.process.wait(timeout=30) == 0


def test_open_files_do_not_keep_it_from_stopping(mounted):
    with mounted() as mount, opened(mount.root / "f") as handle:
        os.write(handle, b"x")
        assert mount.stop() == 0
        assert "still open" in mount.log.read_text()
        with pytest.raises(OSError, match=CUT_OFF):
            os.fstat(handle)


def test_no_root_is_needed(demofs):
    if os.stat("/dev/fuse").st_mode & 0o006 != 0o006:
        pytest.skip("/dev/fuse is root's alone here")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        os.chown(folder, 65534, 65534)
        program = shutil.copy(demofs, folder)
        with serving(program, folder, user=65534) as mount:
            assert os.stat(f"/proc/{mount.pid}").st_uid == 65534
            assert mount.stop() == 0
            mount.must_be_calm()


def test_planted_failures_reach_the_program(mounted):
    with mounted("sqlite", "--inject", "fail-after=3") as mount:
        with (mount.root / "f").open("wb", buffering=0) as out:
            for _ in range(3):
                out.write(b"fine")
            with pytest.raises(OSError, match="Input/output error"):
                out.write(b"lost")
        assert mount.stop() == 0


def test_verification_finds_planted_corruption(mounted):
    with mounted("sqlite", "--inject", "corrupt=5") as mount:
        done = fio(mount.root, rw="write", bs="64k", size="4m", verify="crc32c", direct=1)
        assert done.returncode != 0
        assert "verify" in done.stderr


def test_a_planted_crash_is_a_crash(mounted):
    with mounted("sqlite", "--inject", "crash-after=2") as mount:
        with opened(mount.root / "f") as handle:
            os.write(handle, b"1")
            os.write(handle, b"2")
            with pytest.raises(OSError, match=CUT_OFF):
                os.write(handle, b"3")
        # As the first process of its namespace it is deaf to SIGABRT, so abort(3) ends it in another way.
        assert mount.process.wait(timeout=30) not in (0, 1)
        assert "as injected" in mount.log.read_text()


def test_a_planted_wait_is_there_on_every_write(mounted):
    with mounted("sqlite", "--inject", "extend-wait=4ms") as mount:
        done = fio(mount.root, rw="write", bs="128k", size="8m")
        mean_ns = json.loads(done.stdout)["jobs"][0]["write"]["clat_ns"]["mean"]
        assert mean_ns > 4e6


def test_planted_heap_is_resident(mounted):
    def resident_bytes(mount: Mount) -> int:
        return int(Path(f"/proc/{mount.pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    with mounted("memory") as mount:
        plain = resident_bytes(mount)
    with mounted("memory", "--inject", "heap=64MiB") as mount:
        assert (64 << 20) <= resident_bytes(mount) - plain < (80 << 20)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--inject", "extend-wiat=4ms"], ["extend-wiat", "extend-wait=4ms", "copy-cpu=50us"]),
        (["--inject", "extend-wait=4"], ["extend-wait=4ms", "us, ms"]),
        (["--meta-backend", "postgres"], ["memory", "sqlite", "etcd", "redis"]),
        (
            ["--meta-backend", "etcd", "--meta-etcd-urls", "http://127.0.0.1:1"],
            ["http://127.0.0.1:1", "refused"],
        ),
        (["--meta-backend", "redis", "--meta-redis", "127.0.0.1:1"], ["127.0.0.1:1", "refused"]),
        (["--state", "/proc/none"], ["/proc/none"]),
    ],
)
def test_bad_arguments_are_named(demofs, tmp_path, arguments, said):
    done = subprocess.run([demofs, "mount", tmp_path, *arguments], text=True, capture_output=True, timeout=30)
    assert done.returncode in (1, 2)
    for words in said:
        assert words in done.stderr
    assert "panicked" not in done.stderr


def test_a_mount_point_must_be_an_empty_directory(demofs, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full/file").touch()
    for place, said in [("none", "not a directory"), ("full", "not empty")]:
        words = [demofs, "mount", tmp_path / place, "--state", tmp_path / "state"]
        done = subprocess.run(words, text=True, capture_output=True, timeout=30)
        assert done.returncode == 1
        assert said in done.stderr


@pytest.mark.slow
@pytest.mark.usefixtures("demofs")
def test_the_rust_tests_pass(checkout: Path, build: BuildRequest):
    done = subprocess.run(
        ["cargo", "test", "--release", "--locked"], cwd=checkout / "targets/demofs", text=True, capture_output=True,
        env=os.environ | cargo_env(build),
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert "0 failed" in done.stdout
