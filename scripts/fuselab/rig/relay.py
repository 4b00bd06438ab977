"""A service that is some way off: a relay between it and the target, and what a round trip over it takes."""

from __future__ import annotations

import socket
import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

from fuselab.programs import RELAY, tool
from fuselab.records.run import LONGEST_TRIPS_S, TRIPS
from fuselab.rig.service import answers, wait_ready
from fuselab.system.log import Log
from fuselab.system.process import Process, running
from fuselab.targets.model import Link, Service, service_name

_HERE = "127.0.0.1"
_READY_S = 10.0


@dataclass(frozen=True)
class Relay:
    """A relay that runs. `ports` are where the service's members are, seen from the target."""

    ports: tuple[int, ...]
    process: Process
    _echo: int
    """A port behind which what is sent comes back, by the same way."""

    def round_trip_s(self) -> float:
        """Median of some round trips of one byte. Raises OSError where it has ended."""
        took, end = list[float](), time.monotonic() + LONGEST_TRIPS_S
        with socket.create_connection((_HERE, self._echo)) as connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while len(took) < TRIPS and (not took or time.monotonic() < end):
                sent = time.perf_counter()
                connection.sendall(b"?")
                if not connection.recv(1):
                    raise ConnectionResetError("the relay has ended")
                took.append(time.perf_counter() - sent)
        return statistics.median(took)


@contextmanager
def relayed(
    link: Link, service: Service, role: str, seed: int, out: Path, env: Mapping[str, str]
) -> Iterator[Relay]:
    """A relay to `service`, as far off as `link` says; its log goes to `out`. Raises RigError if it does not start."""
    with ExitStack() as stack:
        echo = stack.enter_context(socket.create_server((_HERE, 0)))
        threading.Thread(target=_answer, args=(echo,), name="echo", daemon=True).start()
        *ports, through = _free_ports(service.members + 1)
        ways = {**dict(zip(ports, service.ports, strict=True)), through: echo.getsockname()[1]}
        routes = [f"{port}={behind}" for port, behind in ways.items()]
        numbers = (link.delay_s * 1e6, link.jitter_s * 1e6, link.rate_bits_s / 8, seed)
        argv = [tool(RELAY), *(str(round(number)) for number in numbers), *routes]
        log = stack.enter_context(Log(out / f"{service_name(role)}.relay.log"))
        name = f"relay to {service.name}"
        process = stack.enter_context(running(name, argv, env=env, cwd=out, log=log))
        wait_ready(process, "relay", lambda: answers(through), _READY_S)
        yield Relay(tuple(ports), process, through)


def _free_ports(number: int) -> list[int]:
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server((_HERE, 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]


def _answer(server: socket.socket) -> None:
    """Send back what comes, to one connection after the other, until the socket is closed."""
    with suppress(OSError):
        while True:
            connection, _ = server.accept()
            with connection, suppress(OSError):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                while piece := connection.recv(64):
                    connection.sendall(piece)
