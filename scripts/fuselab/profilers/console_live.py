"""The live side of tokio-console, asked once: where tasks were spawned.

console-subscriber's recording does not say; its gRPC server does, and runs whether anybody listens or not. It is asked
when the load is over and before the unmount, so nothing that is measured has a listener (a bench, which ends with
its load, is asked every second). Its first message is all it
knew at its last publishing (at most 4 MiB: for more it leaves out what ended first), the second what came since.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from itertools import islice

from fuselab.profilers.base import CaptureContext, Window

STATE = "console.state.pb"
"""Both messages, one after the other, which is the same as one message with what both hold."""
REASON = "console.state.txt"
"""Instead of it: why there is none."""
PROMPT = {"TOKIO_CONSOLE_PUBLISH_INTERVAL": "100ms"}
"""How long the second message may take (by default a second, in which tasks that live on would seem idle)."""
_BIND = "TOKIO_CONSOLE_BIND"
_ADDRESS = "127.0.0.1:6669"
_METHOD = "/rs.tokio.console.instrument.Instrument/WatchUpdates"
_TIMEOUT_S = 10.0
_MOST_BYTES = 64 << 20
_AGAIN_S = 1.0
_NOT_THERE = "the console at {} did not answer while the bench ran"


@contextmanager
def asked_at_the_end(context: CaptureContext) -> Iterator[Window]:
    """Leave STATE in the capture, or REASON: a capture without locations is still a capture."""
    address = address_of(dict(context.support.env))
    if context.outlives_load:
        yield Window()
        _leave(context, _asked(address))
        return
    over, answers = threading.Event(), [_NOT_THERE.format(address)]
    asking = threading.Thread(target=_ask_on, args=(address, over, answers), name="console", daemon=True)
    asking.start()
    try:
        yield Window()
    finally:
        over.set()
        asking.join()
    _leave(context, answers[-1])


def _ask_on(address: str, over: threading.Event, answers: list[bytes | str]) -> None:
    """Of a bench, which ends by itself: again and again, and what it said last counts."""
    while not over.wait(_AGAIN_S):
        answer = _asked(address)
        if isinstance(answer, bytes):
            answers[:] = [answer]


def _asked(address: str) -> bytes | str:
    """The messages, or why there are none."""
    try:
        return state(address)
    except OSError as error:
        return str(error)


def _leave(context: CaptureContext, answer: bytes | str) -> None:
    if isinstance(answer, bytes):
        (context.folder / STATE).write_bytes(answer)
    else:
        (context.folder / REASON).write_text(f"{answer}\n")


def address_of(env: Mapping[str, str]) -> str:
    """Where the console of a target with this environment listens."""
    return env.get(_BIND) or _ADDRESS


def state(address: str) -> bytes:
    """The first two messages of WatchUpdates, not decoded. Raises OSError if the console does not send them."""
    import grpc

    options = [("grpc.enable_http_proxy", 0), ("grpc.max_receive_message_length", _MOST_BYTES)]
    with grpc.insecure_channel(address, options=options) as channel:
        watch: grpc.UnaryStreamMultiCallable[None, bytes] = channel.unary_stream(
            _METHOD, request_serializer=_no_fields, response_deserializer=bytes
        )
        updates = watch(None, timeout=_TIMEOUT_S)
        try:
            messages = b"".join(islice(updates, 2))
        except grpc.RpcError as error:
            raise OSError(f"the console at {address} did not answer: {updates.details()}") from error
        updates.cancel()
        if not messages:
            raise OSError(f"the console at {address} had nothing to say")
        return messages


def _no_fields(_: object) -> bytes:
    """An InstrumentRequest."""
    return b""
