"""What target and services count themselves, read before and after a load: of a file, a command or an HTTP address.

A place that does not answer, or answers what cannot be read, is a reason in the record; the run goes on without it.
"""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from urllib.parse import urlsplit

from fuselab import foreign
from fuselab.analysis.counters import chosen, difference, parse
from fuselab.errors import FuselabError
from fuselab.programs import program
from fuselab.rig.session import Place, Session
from fuselab.targets.model import MOST_MEMBERS, CounterSource, fill, port_name

LIMIT_S = 10.0
"""How long one place may take to answer."""
MOST_BYTES = 4 << 20
MOST_COUNTERS = 1000
Fill = Callable[[str], str]


@dataclass(frozen=True)
class Answer:
    """What one place said: its counters by name, or the reason why there are none."""

    source: CounterSource
    counters: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""
    said: int = 0
    """How many counters it spoke of, wanted or not."""


@dataclass(frozen=True)
class Readings:
    """Of all places of a run, at one moment."""

    target: tuple[Answer, ...] = ()
    services: Mapping[str, tuple[Answer, ...]] = field(default_factory=dict)
    """By what each is to the backend."""


@dataclass(frozen=True)
class Tally:
    """What one program has counted between two readings, by name."""

    counts: Mapping[str, float] = field(default_factory=dict)
    unavailable: str = ""
    """What could not be counted, and why."""


def read(at: Session) -> Readings:
    """Ask every place of the run's `counters` that is there to be asked: without a mount there is no target."""
    place, asked = at.place, at.place.request.counters
    settled = asked if at.targets else replace(asked, target=())
    if settle_s := settled.settle_s:
        place.recorder.say(f"waiting {settle_s:g} s until what happened is counted")
        time.sleep(settle_s)
    target = {**place.values, "mountpoint": str(at.context.directory), "binary": str(place.binary)}
    services = {}
    for role, sources in asked.services:
        numbers = (number for number in range(1, MOST_MEMBERS + 1) if port_name(role, number) in place.values)
        members = [
            {
                "port": place.values[port_name(role, number)],
                "member": str(number),
                "state": str(place.state.service(role)),
            }
            for number in numbers
        ]
        services[role] = tuple(
            _together(answer(place, source, values) for values in members) for source in sources
        )
    return Readings(tuple(answer(place, source, target) for source in settled.target), services)


def _together(answers: Iterable[Answer]) -> Answer:
    """What the members of one service said, added up; all must have said something."""
    first, *others = answers
    for other in others:
        names = first.counters.keys() | other.counters.keys()
        added = {name: first.counters.get(name, 0) + other.counters.get(name, 0) for name in names}
        reason = first.reason or other.reason
        first = replace(first, counters={} if reason else added, reason=reason, said=first.said + other.said)
    return first


def between(before: tuple[Answer, ...], after: tuple[Answer, ...]) -> Tally:
    """What the places of one program have counted from one reading to the next."""
    counts: dict[str, float] = {}
    notes: list[str] = []
    for first, last in zip(before, after, strict=True):
        found = difference(first.counters, last.counters)
        reason = first.reason or last.reason
        if not (reason or first.said or last.said):  # one that has just begun may speak of nothing yet
            reason = f"no counter was found in what it says: is it `{last.source.format}`?"
        twice = sorted(counts.keys() & found.counted.keys())
        said = [reason] if reason else [*found.notes]
        said += [f"`{name}` is counted in another place too: `rename` it" for name in twice]
        notes += [f"{last.source.where}: {words}" for words in said]
        if not reason:
            counts |= {name: value for name, value in found.counted.items() if name not in twice}
    return Tally(counts, "; ".join(notes))


def answer(place: Place, source: CounterSource, values: Mapping[str, str], gauges: bool = False) -> Answer:
    """What `source` says now; with `gauges` also what may go down."""
    try:
        text = _text(place, source, values).decode(errors="replace")
        counters = parse(text, source.format, source.by, gauges)
        kept = chosen(counters, source.only, source.without, MappingProxyType(dict(source.rename)))
        if len(kept) > MOST_COUNTERS:
            raise ValueError(f"it has {len(kept)} counters: say with `only` which ones matter")
    except (FuselabError, ValueError, OSError) as error:
        reason = place.recorder.hidden.text(foreign.name(str(error) or type(error).__name__))
        return Answer(source, reason=reason)
    return Answer(source, kept, said=len(counters))


def _text(place: Place, source: CounterSource, values: Mapping[str, str]) -> bytes:
    """Raises OSError or ValueError with the reason why there is none."""
    if source.http:
        return _get(fill(source.http, values))
    if source.file:  # a file in a mount may hang whoever reads it
        return output(place, ["cat", "--", fill(source.file, values)])
    return output(place, [fill(word, values) for word in source.argv])


def _get(address: str) -> bytes:
    """Without proxies and without going where it points to: it is an address of the run or none."""
    import http.client  # every run would load it, and few ask by it

    url = urlsplit(address)
    connection = http.client.HTTPConnection(url.hostname or "", url.port, timeout=LIMIT_S)
    deadline = time.monotonic() + LIMIT_S
    try:
        connection.request("GET", (url.path or "/") + (f"?{url.query}" if url.query else ""))
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise ValueError(f"it answered {answer.status} {answer.reason}")
        text = b""
        while chunk := answer.read1(1 << 16):
            text += chunk
            if time.monotonic() > deadline:
                raise TimeoutError(f"it did not end its answer within {LIMIT_S:g} s")
            _require_little(text)
        return text
    except http.client.HTTPException as error:
        raise ValueError(str(error) or type(error).__name__) from error
    finally:
        connection.close()


def output(place: Place, argv: list[str]) -> bytes:
    """What a command prints, with the target's environment. Raises ValueError if it fails or does not end."""
    unseen = place.request.mount.profiler_env
    env = {name: value for name, value in place.filled_env().items() if name not in unseen}
    with tempfile.TemporaryFile(dir=place.state.scratch) as said:
        with subprocess.Popen(
            [program(argv[0], env), *argv[1:]],
            env=env,
            cwd=place.state.scratch,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=said,
            start_new_session=True,
        ) as child:
            assert child.stdout is not None
            with _in_time(child) as late:
                text = child.stdout.read(MOST_BYTES + 1)
                if len(text) > MOST_BYTES:
                    _kill(child)
                child.wait()
        if late.is_set():
            raise ValueError(f"`{argv[0]}` did not end within {LIMIT_S:g} s")
        _require_little(text)
        if child.returncode != 0:
            said.seek(0)
            words = said.read(1 << 16).decode(errors="replace").strip().splitlines()[-1:]
            raise ValueError(f"`{argv[0]}` ended with {child.returncode}{''.join(f': {w}' for w in words)}")
    return text


@contextmanager
def _in_time(child: subprocess.Popen[bytes]) -> Iterator[threading.Event]:
    """Kill `child` and what it has started if the block takes too long; the event says that it did."""
    late = threading.Event()

    def end() -> None:
        late.set()
        _kill(child)

    timer = threading.Timer(LIMIT_S, end)
    timer.start()
    try:
        yield late
    finally:
        timer.cancel()


def _kill(child: subprocess.Popen[bytes]) -> None:
    with suppress(ProcessLookupError):
        os.killpg(child.pid, signal.SIGKILL)


def _require_little(text: bytes) -> None:
    if len(text) > MOST_BYTES:
        raise ValueError(f"it says more than {MOST_BYTES >> 20} MiB")
