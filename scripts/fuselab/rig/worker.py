"""The second process of a run: does all of it, in order, and takes it down in the reverse of that order."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import time
import traceback
from contextlib import ExitStack, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import msgspec

from fuselab.code import measuring_code
from fuselab.errors import FuselabError, Interrupted, RigError, TargetError
from fuselab.files import unusable, write_json
from fuselab.records.request import COMPARED, COUNTED, NOT_FRESH, RunRequest
from fuselab.records.run import RunRecord, outcome_name
from fuselab.rig import disturbance, environment
from fuselab.rig.counting import count_load
from fuselab.rig.family import Family, Served
from fuselab.rig.load import do_load, make_cold, prepare, prepares
from fuselab.rig.recorder import Recorder
from fuselab.rig.relay import Relay, relayed
from fuselab.rig.service import serving
from fuselab.rig.session import Place, Standing, Turns, profilers_of, session
from fuselab.rig.state import free_bytes, state_folder
from fuselab.system import kernel, tracefs, tracing
from fuselab.system.cgroup import Group, new_group
from fuselab.system.process import exit_words, on_cpus, plain_env, step
from fuselab.targets.model import fill, is_shell, port_name, service_name
from fuselab.workloads import REGISTRY, looked_at, reading
from fuselab.workloads.base import LoadContext, LoadResult
from fuselab.workloads.verifying import VERIFIERS
from fuselab.workloads.verifying.base import DATA, Verifier

DONE, FORBIDDEN, INTERRUPTED, BROKEN = 0, 3, 4, 5
"""Exit codes: a record was written; a RigError; asked to end; a fault of fuselab's own."""
PREPARE_TIMEOUT_S = 600.0
GATED = COMPARED | {"capture"}
"""Purposes whose runs wait for a quiet machine."""
_FULL_BYTES = 16 << 20


def work(request: Path, control: int, proc: int, group: Group | None = None) -> int:
    """Make the run of the file `request`; an exit code. Errors go to the outer process by the socket `control`."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    disturbance.listen()
    try:
        make(msgspec.json.decode(request.read_bytes(), type=RunRequest), proc, Family(group))
        return DONE
    except Interrupted:
        return INTERRUPTED
    except FuselabError as error:
        _tell(control, str(error))
        return FORBIDDEN
    except OSError as error:
        words = unusable(error)
        _tell(control, words or traceback.format_exc())
        return FORBIDDEN if words else BROKEN
    except BaseException:
        _tell(control, traceback.format_exc())
        return BROKEN


def _interrupt(*_: object) -> None:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    raise Interrupted


def _tell(control: int, message: str) -> None:
    socket.socket(fileno=os.dup(control)).sendall(message.encode())


def make(request: RunRequest, proc: int, family: Family) -> RunRecord:
    """The whole run; its record is written last. `proc`: descriptor of the machine's /proc. Raises RigError."""
    started_s, pressure = time.monotonic(), environment.pressure()
    _require_same_code(request)
    if request.mount.network == "private":
        kernel.loopback_up()
    kernel.mount_fusectl()
    tracefs.mount()
    tracing.sweep()  # what a killed run left on makes every system call of the machine slower
    recorder = Recorder(request)
    if request.mount.network == "host":
        recorder.mark(
            "network: host: its ports are the machine's, and others on the machine reach what the run starts"
        )
    for name in request.mount.pass_env:
        if name not in os.environ:
            recorder.mark(f"pass_env: {name} is not set where fuselab was called: the target did not get it")
    if request.mount.argv and not request.mount.fresh:
        recorder.mark(NOT_FRESH)
    if request.mount.mounts > 1 and request.mount.profilers and looked_at(request.load) == "mount":
        recorder.mark(
            f"profilers look at the first of {request.mount.mounts} mounts, but for perf, which looks at all"
        )
    try:
        _run(recorder, proc, family, started_s, pressure)
        void = recorder.noise if request.purpose in COMPARED else None
        if recorder.noise and not void:
            recorder.mark(recorder.noise)
        record = recorder.record("void" if void else "ok", void)
    except TargetError as error:
        record = recorder.record("failed", str(error), error.fault)
    recorder.say(record.status + (f": {record.reason}" if record.reason else ""))
    write_json(Path(request.out, outcome_name(record)), record)
    return record


def _require_same_code(request: RunRequest) -> None:
    """Raise RigError if our own code is not what it was when the DAG was made."""
    if request.code and request.code != measuring_code(request.purpose):
        raise RigError(
            "the code of fuselab has changed since this call began (an edit, or another branch checked out), and what "
            "two codes measured is not mixed: call again"
        )


def _run(
    recorder: Recorder, proc: int, family: Family, started_s: float, pressure: dict[str, int | None]
) -> None:
    request = recorder.request
    root = Path(request.state_root)
    with ExitStack() as stack:
        state = stack.enter_context(state_folder(root, Path(request.repository).resolve()))
        if request.purpose in GATED and not request.load_group:
            with recorder.phase("gate"):
                recorder.gate = environment.gate(state.path, started_s, pressure, request.gate_limit_s)
            if not recorder.gate.passed and request.gate_limit_s > 0:
                recorder.mark(f"the machine was not quiet within {request.gate_limit_s:g} s: started anyway")
        out = Path(request.out)
        env = plain_env(state.scratch)
        with recorder.phase("setup"):
            command = None
            if looked_at(request.load) == "command":
                command = Served(stack.enter_context(new_group()) if family.group is not None else None)
            servers: dict[str, Standing] = {}
            served: dict[str, Family] = {}
            relays: dict[str, Relay] = {}
            links = dict(request.mount.links)
            values = {"state": str(state.data), "capture": str(out), "port": ""}
            for role, service in request.mount.services:
                served[role] = Served(
                    stack.enter_context(new_group()) if request.purpose in COUNTED else None
                )
                with served[role].starting(), on_cpus(request.mount.cpus.services):
                    servers[role] = stack.enter_context(serving(service, state.service(role), out, env, role))
                ports = service.ports
                if role in links:
                    seed = request.load.randseed
                    relay = stack.enter_context(relayed(links[role], service, role, seed, out, env))
                    recorder.round_trips_s[service_name(role)] = (relay.round_trip_s(),)
                    relays[role], ports = relay, relay.ports
                for number, server in enumerate(servers[role], 1):
                    served[role].add(server.pid)
                    recorder.pids[service_name(role, number)] = server.pid
                    values[port_name(role, number)] = str(ports[number - 1])
        ways = tuple(relay.process for relay in relays.values())
        turns = Turns(Group(Path(request.load_group), "")) if request.load_group else None
        place = Place(recorder, state, out, env, values, proc, family, servers, served, ways, command, turns)
        try:
            with recorder.phase("setup"):
                _set_up(place)
            (_verify if request.purpose == "verify" else _measure)(place)
        except TargetError as error:
            for folder in (root, out):
                if free_bytes(folder) < _FULL_BYTES:
                    raise RigError(
                        f"the disk below {folder} is full, and so the run failed: {error}"
                    ) from error
            raise
        for server in (server for members in servers.values() for server in members if server.wait(0)):
            how = "" if server.exit_code is None else f" ({exit_words(server.exit_code)})"
            recorder.mark(
                f"{server.name} ended while the run went on{how}: the others of its service did without"
            )
        with recorder.phase("teardown"):
            for role, relay in relays.items():
                with suppress(OSError):  # it has ended since
                    recorder.round_trips_s[service_name(role)] += (relay.round_trip_s(),)
            stack.close()
        for role, members in servers.items():
            for number, server in enumerate(members, 1):
                if server.exit_code is not None:
                    recorder.exit_codes[service_name(role, number)] = server.exit_code


def _set_up(place: Place) -> None:
    """Configuration files, and what the target wants done before its first mount."""
    config = place.request.mount
    mountpoint = place.state.mountpoint(1)
    for profiler, _ in profilers_of(place):
        profiler.equip(place.out)
    env = {name: value for name, value in place.filled_env().items() if name not in config.profiler_env}
    for name, text in config.files:
        path = place.state.data / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(fill(text, {**place.values, "mountpoint": str(mountpoint)}))
    for number, words in enumerate(config.prepare, 1):
        name = f"`prepare` step {number} of target {config.target}"
        argv, log = place.filled(words), place.out / f"target.prepare-{number}.log"
        step(name, argv, env=env, cwd=place.state.scratch, log=log, timeout_s=PREPARE_TIMEOUT_S)


def _measure(place: Place) -> None:
    """The load, on a fresh mount. Cold after preparations means: unmounted in between, where the data survives it."""
    request = place.request
    kind = REGISTRY[request.load.kind]
    cold = request.load.cache == "cold" and not is_new(request)
    prepared = prepares(request.load)
    again = cold and prepared and request.mount.persists and bool(request.mount.argv)
    if again:
        with session(place, "prepare") as at:
            prepare(place, at)
    if cold:
        make_cold(place, prepared=again)
    with session(place) as at:
        if prepared and not again:
            prepare(place, at)
            if cold:
                make_cold(place, prepared=True)
                if request.mount.argv:
                    place.recorder.mark(
                        "not cold: the backend does not survive a remount, so the target kept its caches"
                    )
        (count_load if request.purpose in COUNTED else do_load)(at, partial(kind.work, request.load))
    if words := reading.complaint(request.load.kind, place.out):
        place.recorder.mark(words)


def is_new(request: RunRequest) -> bool:
    """Whether a run that counts finds nothing that caches may hold: then they are not dropped.

    The machine would read its own programs from the disk again for it, in the midst of what is counted.
    """
    return request.purpose in COUNTED and not (prepares(request.load) or request.mount.prepare)


def _verify(place: Place) -> None:
    """In every way that is asked for, each in a mount of its own."""
    settings = place.request.load.settings
    for name in settings.get("ways", (DATA,)):
        _verify_by(place, VERIFIERS[name], tuple(settings.get("known_failures", ())))


def _verify_by(place: Place, verifier: Verifier, known: tuple[str, ...]) -> None:
    """Do it, stop, mount again where the data survives that, and read back what is there to be read back."""

    def run(context: LoadContext) -> LoadResult:
        context.begin()
        return verifier.run(context, known)

    def read_back(context: LoadContext) -> LoadResult:
        context.begin()
        result = verifier.read_back(context) or LoadResult(0)
        return replace(result, reason=result.reason and result.reason + _run_again(place) + emptied)

    emptied = ""
    with session(place, verifier.session) as at:
        do_load(at, run)
    if verifier.reads_back and place.request.mount.persists:
        emptied = _fresh_cache(place)
        with session(place, "read") as at:
            do_load(at, read_back)


def _fresh_cache(place: Place) -> str:
    """Empty the target's cache between two mounts; in words what may be gone for that, "" if it has none."""
    cache = place.request.mount.cache
    for folder in (Path(fill(text, place.values)) for text in cache):
        if folder.is_dir() and folder.resolve().is_relative_to(place.state.data.resolve()):
            for entry in folder.iterdir():
                shutil.rmtree(entry) if entry.is_dir() and not entry.is_symlink() else entry.unlink()
            place.recorder.say(f"emptied for the remount: {folder}")
    names = " and ".join(cache)
    return (
        f"\nIts cache ({names}) was emptied for the remount: what had not left it is lost." if cache else ""
    )


def _run_again(place: Place) -> str:
    """Why data may be gone that was there: a shell's text is the mount and what prepares it in one."""
    if not is_shell(place.recorder.argv):
        return ""
    shell = " ".join(place.recorder.argv[:2])
    return (
        f"\n`{shell}` ran all of its text again for the remount: if that makes the store anew, put what makes it into "
        "the target's `prepare`."
    )
