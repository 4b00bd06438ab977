"""The first process of a run's pid namespace: starts the worker, passes signals on, reaps orphans, dies last.

Usage: python -m fuselab.rig.init REQUEST.json SOCKET PROC [GROUP_PATH GROUP_NAME]

SOCKET is a descriptor shared with the outer process: a byte on it asks for an orderly end, its closing means that
the outer process is gone, and everything here goes with it. PROC is a descriptor of the machine's own /proc, for
the figures that this namespace hides. GROUP: the control group that was made for the target.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
from pathlib import Path

_PASSED_ON = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(argv: list[str]) -> int:
    request, socket, proc = Path(argv[0]), int(argv[1]), int(argv[2])
    # cron, nohup and `&` start programs with SIGINT ignored, and every child inherits that.
    for number in _PASSED_ON:
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    worker = os.fork()
    if worker == 0:
        from fuselab.rig.worker import work
        from fuselab.system.cgroup import Group  # only here: the first process stays small

        group = Group(Path(argv[3]), argv[4]) if len(argv) > 3 else None
        os._exit(work(request, socket, proc, group))
    for number in _PASSED_ON:
        signal.signal(number, lambda number, _: os.kill(worker, number))
    threading.Thread(target=_listen, args=(socket, worker), daemon=True).start()
    return _reap(worker)


def _listen(socket: int, worker: int) -> None:
    while True:
        word = os.read(socket, 1)
        if not word:
            os._exit(1)  # the outer process is gone; the kernel kills whatever is still here
        os.kill(worker, signal.SIGTERM)


def _reap(worker: int) -> int:
    """Collect every child that ends, ours or not; return the worker's exit code when it ends, as a shell counts."""
    while True:
        pid, status = os.waitpid(-1, 0)
        if pid == worker:
            code = os.waitstatus_to_exitcode(status)
            return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
