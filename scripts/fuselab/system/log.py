"""What a program writes, kept within bounds: a capped file, a count of the rest, and the last lines for errors."""

from __future__ import annotations

import contextlib
import fcntl
import os
import select
import threading
from pathlib import Path

from fuselab import foreign

_CHUNK_BYTES = 1 << 20
_PIPE_BYTES = 1 << 20
_TAIL_BYTES = 16 << 10
_LAST_LINES = 20


class Log:
    """Copies a pipe to `path` up to `cap_bytes`, counts what comes after, remembers the last lines.

    A thread does the copying: a program that writes 30 MB/s costs one read and one write call per megabyte until
    the cap, and one read call after it. Use as a context manager; `write_end` goes to the child.
    """

    def __init__(self, path: Path, cap_bytes: int = 16 << 20) -> None:
        self.path = path
        self.written_bytes = 0
        """All that the program wrote."""
        self.kept_bytes = 0
        self._cap_bytes = cap_bytes
        self._tail = b""
        self._read_end, self.write_end = os.pipe2(os.O_CLOEXEC)
        os.set_blocking(self._read_end, False)
        self._reading = threading.Lock()
        with contextlib.suppress(OSError):  # beyond the user's quota: the default size works too
            fcntl.fcntl(self._read_end, fcntl.F_SETPIPE_SZ, _PIPE_BYTES)
        self._stop_read, self._stop_write = os.pipe2(os.O_CLOEXEC)
        self._file = path.open("wb", buffering=0)
        self._thread = threading.Thread(target=self._copy, name=f"log {path.name}", daemon=True)

    def __enter__(self) -> Log:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def started(self) -> None:
        """The child has its copy of the write end: give up ours, so that its end is the log's end."""
        if self.write_end >= 0:
            os.close(self.write_end)
            self.write_end = -1

    def close(self) -> None:
        """Read what is still in the pipe, then stop, whoever still holds its other end."""
        self.started()
        if self._file.closed:
            return
        os.close(self._stop_write)
        self._thread.join()
        if self.written_bytes > self.kept_bytes:
            thrown = self.written_bytes - self.kept_bytes
            note = f"\n[fuselab kept {self.kept_bytes} bytes of this log and threw {thrown} away]\n"
            with contextlib.suppress(OSError):
                self._file.write(note.encode())
        self._file.close()
        os.close(self._read_end)
        os.close(self._stop_read)

    def last_lines(self, count: int = _LAST_LINES) -> str:
        """The last `count` lines so far, as plain text; "" if nothing was written.

        What is still in the pipe counts: a program that has just ended has written it, though the thread that
        copies may not have come to it.
        """
        if not self._file.closed:
            self._read(_PIPE_BYTES)
        return "\n".join(foreign.last_lines(self._tail, count))

    def last_words(self, count: int = _LAST_LINES) -> str:
        """The last `count` lines for an error: of what was kept, those that tell of one go before the very last."""
        last = self.last_lines(count).split("\n")
        try:
            telling = foreign.telling_lines(self.path.read_bytes(), count)
        except OSError:
            telling = []
        return "\n".join(foreign.last_words(telling, last, count))

    def _copy(self) -> None:
        poller = select.poll()
        poller.register(self._read_end, select.POLLIN)
        poller.register(self._stop_read, select.POLLIN)
        while True:
            ready = dict(poller.poll())
            if self._read_end in ready:
                if not self._read(_CHUNK_BYTES):
                    return
            elif self._stop_read in ready:
                return

    def _read(self, at_most_bytes: int) -> bool:
        """Keep what is in the pipe, if anything is; False at its end. Never waits."""
        with self._reading:
            try:
                chunk = os.read(self._read_end, at_most_bytes)
            except BlockingIOError:  # the other thread was quicker
                return True
            self._keep(chunk)
            return bool(chunk)

    def _keep(self, chunk: bytes) -> None:
        self.written_bytes += len(chunk)
        self._tail = (self._tail + chunk[-_TAIL_BYTES:])[-_TAIL_BYTES:]
        room = self._cap_bytes - self.kept_bytes
        if room > 0:
            try:
                self.kept_bytes += self._file.write(chunk[:room]) or 0
            except OSError:  # the disk is full: go on reading, or the program would block on its own log
                self._cap_bytes = self.kept_bytes
