"""A store's server for one run: fresh, inside the run's own network, stopped before its state is removed."""

from __future__ import annotations

import os
import pwd
import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
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
) -> Iterator[tuple[Process, ...]]:
    """Run `service` on the new `folder`, each of its members; logs go to `out`, named by its `role`. All are ready when
    the block begins.

    Raises RigError, with its last log lines, if a port is taken, one ends, or is not ready in time.
    """
    called = f"{service.name} ({role})" if role else service.name
    folder.mkdir()
    for port in filter(answers, service.ports):
        raise RigError(
            f"port {port}, which {service.name} needs, is in use by another program: stop that one, "
            "or leave out `network: host`"
        )
    account = _account(service.user, folder)
    of_all = _Member(service, 1, folder, env)
    for step in service.prepare:
        argv, timeout_s = _command(account, step, of_all.values, of_all.env), service.ready_timeout_s * 3
        log = out / f"{service_name(role)}.prepare.log"
        try:
            run(service.name, argv, env=of_all.env, cwd=folder, log=log, timeout_s=timeout_s)
        except TargetError as error:
            raise RigError(f"the service {called} could not be prepared: {error}") from error

    with ExitStack() as stack:
        members: list[tuple[_Member, Process]] = []
        for number in range(1, service.members + 1):
            member = _Member(service, number, folder, env)
            log_of = stack.enter_context(Log(out / f"{service_name(role, number)}.log"))
            argv = _command(account, service.argv, member.values, member.env)
            name = called if service.members == 1 else f"member {number} of {called}"
            process = stack.enter_context(running(name, argv, env=member.env, cwd=folder, log=log_of))
            members.append((member, process))
        processes = tuple(process for _, process in members)
        for member, process in members:
            log = folder.parent / "scratch" / f"ready.{service_name(role, member.number)}.log"
            wait_ready(process, "service", partial(member.is_ready, log, processes), service.ready_timeout_s)
        for process in processes:
            stack.callback(process.stop, signal_of(service.stop_signal), service.stop_timeout_s)
        yield processes


@dataclass(frozen=True)
class _Member:
    """One process of a service, or its only one."""

    service: Service
    number: int
    folder: Path
    _env: Mapping[str, str]

    @property
    def port(self) -> int:
        return self.service.ports[self.number - 1]

    @property
    def values(self) -> dict[str, str]:
        """Of the placeholders."""
        return {"state": str(self.folder), "port": str(self.port), "member": str(self.number)}

    @property
    def env(self) -> dict[str, str]:
        return {**self._env, **{name: fill(text, self.values) for name, text in self.service.env}}

    def is_ready(self, log: Path, members: Sequence[Process]) -> bool:
        """Raises RigError if one of `members` has ended: it may be what this one waits for."""
        for process in members:
            _require_running(process, "service")
        if not answers(self.port):
            return False
        argv = [fill(word, self.values) for word in self.service.ready_argv]
        with suppress(TargetError):
            if argv:
                run("ready", argv, env=self.env, cwd=self.folder, log=log, timeout_s=_CONNECT_S * 5)
            return True
        return False


def wait_ready(process: Process, called: str, ready: Callable[[], bool], limit_s: float) -> None:
    """Until `ready` says so. Raises RigError, with its last log lines, if it ends or takes longer than `limit_s`."""
    started = time.monotonic()
    deadline = started + limit_s
    while not ready():
        process.wait(pause_s(started, deadline))
        _require_running(process, called)
        if time.monotonic() >= deadline:
            raise RigError(f"the {called} was not ready within {limit_s:g} s: {process.described()}")


def _require_running(process: Process, called: str) -> None:
    if process.wait(0):
        process.log.close()
        raise RigError(f"the {called} ended before it was ready: {process.described()}")


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
