"""A store's server for one run: fresh, inside the run's own network, stopped before its state is removed."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

from fuselab.errors import RigError, TargetError
from fuselab.programs import apt_install, program
from fuselab.system.log import Log
from fuselab.system.namespaces import all_accounts_mapped
from fuselab.system.process import Process, pause_s, run, running, signal_of
from fuselab.targets.model import ONLY, Service, fill, service_name

_CONNECT_S = 1.0


@contextmanager
def serving(
    service: Service, folder: Path, out: Path, env: Mapping[str, str], role: str = ONLY
) -> Iterator[Process]:
    """Run `service` on the new `folder`; its log goes to `out`, named by its `role`. Ready when the block begins.

    Raises RigError, with its last log lines, if its port is taken, it ends, or it is not ready in time.
    """
    called, file = f"{service.name} ({role})" if role else service.name, service_name(role)
    folder.mkdir()
    if answers(service.port):
        raise RigError(
            f"port {service.port}, which {service.name} needs, is in use by another program: stop that one, "
            "or leave out `network: host`"
        )
    values = {"state": str(folder), "port": str(service.port)}
    env = dict(env) | {name: fill(text, values) for name, text in service.env}
    account = _account(service.user, folder)
    run_here = partial(run, env=env, cwd=folder)
    for step in service.prepare:
        argv, timeout_s = _command(account, step, values, env), service.ready_timeout_s * 3
        try:
            run_here(service.name, argv, log=out / f"{file}.prepare.log", timeout_s=timeout_s)
        except TargetError as error:
            raise RigError(f"the service {called} could not be prepared: {error}") from error

    def ready() -> bool:
        if not answers(service.port):
            return False
        scratch = folder.parent / "scratch"
        argv = [fill(word, values) for word in service.ready_argv]
        with suppress(TargetError):
            if argv:
                run_here("ready", argv, log=scratch / f"ready.{file}.log", timeout_s=_CONNECT_S * 5)
            return True
        return False

    argv = _command(account, service.argv, values, env)
    with (
        Log(out / f"{file}.log") as log,
        running(called, argv, env=env, cwd=folder, log=log) as process,
    ):
        wait_ready(process, "service", ready, service.ready_timeout_s)
        try:
            yield process
        finally:
            process.stop(signal_of(service.stop_signal), service.stop_timeout_s)


def wait_ready(process: Process, called: str, ready: Callable[[], bool], limit_s: float) -> None:
    """Until `ready` says so. Raises RigError, with its last log lines, if it ends or takes longer than `limit_s`."""
    started = time.monotonic()
    deadline = started + limit_s
    while not ready():
        if process.wait(pause_s(started, deadline)):
            process.log.close()
            raise RigError(f"the {called} ended before it was ready: {process.described()}")
        if time.monotonic() >= deadline:
            raise RigError(f"the {called} was not ready within {limit_s:g} s: {process.described()}")


def _command(
    account: Sequence[str], words: Sequence[str], values: Mapping[str, str], env: Mapping[str, str]
) -> list[str]:
    first, *rest = (fill(word, values) for word in words)
    return [*account, program(first, env), *rest]


def answers(port: int) -> bool:
    """Whether something listens on a port of the run's loopback."""
    with socket.socket() as s:
        s.settimeout(_CONNECT_S)
        return s.connect_ex(("127.0.0.1", port)) == 0


def _account(user: str | None, folder: Path) -> list[str]:
    """What to put before a command to run it as `user`, who then owns `folder`; nothing where we are not root.

    As root: the account itself, with the one capability that lets it reach its folder through others' folders.
    Inside a user namespace there is only one account: a further namespace shows it under another number, which is
    all that a server which refuses root looks at.
    """
    if user is None or os.geteuid() != 0:
        return []
    try:
        entry = pwd.getpwnam(user)
    except KeyError:
        raise RigError(
            f"the account `{user}`, which the service runs as, does not exist: install its package"
        ) from None
    if all_accounts_mapped():
        os.chown(folder, entry.pw_uid, entry.pw_gid, follow_symlinks=False)
        capability = "+dac_read_search"
        return [
            "setpriv", f"--reuid={entry.pw_uid}", f"--regid={entry.pw_gid}", "--init-groups",
            f"--inh-caps={capability}", f"--ambient-caps={capability}", "--",
        ]  # fmt: skip
    return ["unshare", "--user", f"--map-user={entry.pw_uid}", f"--map-group={entry.pw_gid}", "--"]


def require_program(service: Service, env: Mapping[str, str]) -> None:
    """Raise RigError if the service's program is not installed."""
    try:
        program(service.argv[0], env)
    except RigError:
        called = service.argv[0]
        raise RigError(
            f"the service {service.name} needs the program `{called}`, which is not installed: "
            f"{apt_install(called, of=service.name)} (services/{service.name}.yaml says more)"
        ) from None
