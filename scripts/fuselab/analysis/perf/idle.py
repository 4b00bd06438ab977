"""Which waits are of a thread that has nothing to do.

A filesystem's threads wait for the next request most of the time. Beside that, what holds up a request is next to
nothing in a picture. Only what says of itself that there is no work counts: the kernel where it hands out requests, and
the loops of runtimes whose threads look for work. A thread in epoll_wait or io_uring_enter may wait for a request, or
for a reply that one needs: it is told only where such a loop called it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

_SWITCH = re.compile(r"^_*schedule(?:\.\w+)*_\[k\]$")
_NEXT_REQUEST = re.compile(r"^fuse_dev_do_read(?:\.\w+)*_\[k\]$")
"""It sleeps by itself only for want of a request: whatever else it does that may wait is called by another name."""
_LOOKS_FOR_WORK = re.compile(
    r"^(?:tokio::runtime::scheduler::multi_thread(?:_alt)?::(?:worker::Context::park\w*|park::Parker::park\w*)"
    r"|runtime\.(?:stopm|sysmon|find[Rr]unnable))$"
)
"""A worker of tokio, and a thread of Go, that found nothing to run, or still looks for it among the others' and in the
network's. Not tokio's current_thread: `block_on` of a runtime
of one's own in the midst of a request ends there too."""
_POOL = re.compile(r"^tokio::runtime::blocking::pool::(?!Task)\w+::run(?:_worker)?$")
"""The loop of a thread of tokio's pool. The workers are jobs of that pool too."""
_RAYON_COLD, _RAYON_SLEEPS = (
    "rayon_core::registry::WorkerThread::wait_until_cold",
    "rayon_core::sleep::Sleep::sleep",
)
"""A worker of rayon (Criterion's statistics have some) that found no job. One that waits for the other half of its job
is cold for the second time."""
_WAITS_FOR_JOB = re.compile(r"[Cc]ondvar")


def is_idle(functions: Sequence[str]) -> bool:
    """Whether a thread that left the CPU with this stack, root first, waits for something to do."""
    innermost = next((name for name in reversed(functions) if not _SWITCH.match(name)), "")
    return (
        _NEXT_REQUEST.match(innermost) is not None
        or any(_LOOKS_FOR_WORK.match(name) for name in functions)
        or (_RAYON_SLEEPS in functions and list(functions).count(_RAYON_COLD) == 1)
        or any(_POOL.match(outer) and _WAITS_FOR_JOB.search(inner) for outer, inner in pairwise(functions))
    )
