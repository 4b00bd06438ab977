"""How a variant is mounted: its target's words with backend, options, profilers and environment filled in."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from fuselab import profilers
from fuselab.building.request import BuildRequest
from fuselab.experiment.model import Experiment, Variant
from fuselab.records.request import CommandLine, MountConfig
from fuselab.targets.model import ProfilerSupport, Service, Target, fill, fill_argv


def mount_config(
    experiment: Experiment,
    variant: Variant,
    target: Target,
    services: Mapping[str, Service],
    supports: tuple[ProfilerSupport, ...],
    build: BuildRequest | None,
) -> MountConfig:
    """How `variant` is mounted with `supports` looking: program, arguments and environment resolved."""
    backend = target.backends[variant.backend]
    supports = tuple(_complete(support) for support in supports)
    binary = "" if build is None else build.path()
    parts = _parts(target, variant, supports)
    first = _command_line(target, variant, supports, binary)
    return MountConfig(
        variant=variant.name,
        target=target.name,
        build=None if build is None else build.folder,
        binary=binary,
        argv=first.argv,
        env=first.env,
        files=target.mount.files,
        prepare=tuple(fill_argv(argv, {"binary": binary}, parts) for argv in target.mount.prepare),
        ready_timeout_s=target.mount.ready_timeout_s,
        stop=target.stop,
        backend=backend.name,
        persists=backend.persists,
        services=tuple((role, services[name]) for role, name in backend.services),
        links=variant.network,
        profilers=supports,
        network=experiment.network,
        read_only=target.mount.read_only,
        hang_s=target.mount.hang_s,
        mounts=experiment.mounts,
        pass_env=target.mount.pass_env,
        drain=target.drain,
        cache=target.mount.cache,
        cpus=experiment.cpus,
        others=_command_line(target, variant, (), binary) if experiment.mounts > 1 else None,
    )


def looking_beside(config: MountConfig, names: Iterable[str]) -> MountConfig:
    """A mount that is left as it is, while the profilers `names` look at something else in the run.

    What target.yaml says of them is of its own program, and does not hold.
    """
    return replace(config, profilers=tuple(_complete(ProfilerSupport(name)) for name in names))


def _complete(support: ProfilerSupport) -> ProfilerSupport:
    """With the variables that the profiler itself asks for."""
    env = _over(profilers.REGISTRY[support.name].environment(support), dict(support.env))
    return replace(support, env=tuple(sorted(env.items())))


def _over(env: Mapping[str, str], more: Mapping[str, str]) -> dict[str, str]:
    """Both, and `more` where they differ; what either preloads is preloaded."""
    both = {name: f"{more[name]}:{env[name]}" for name in _LISTS & env.keys() & more.keys()}
    return {**env, **more, **both}


_LISTS = frozenset({"LD_PRELOAD"})
"""Variables that hold several values, separated by colons."""


def _command_line(
    target: Target, variant: Variant, supports: tuple[ProfilerSupport, ...], binary: str
) -> CommandLine:
    """Program, arguments and environment of a mount that `supports` look at."""
    env = dict(target.mount.env) | dict(target.backends[variant.backend].env)
    for name, value in variant.options:
        env |= {key: fill(text, {"value": value}) for key, text in target.options[name].env}
    for support in supports:
        env = _over(env, dict(support.env))
    env |= _log_filter(target, supports) | dict(variant.env)
    argv = fill_argv(target.mount.argv, {"binary": binary}, _parts(target, variant, supports))
    return CommandLine(argv, tuple(sorted(env.items())))


def _parts(
    target: Target, variant: Variant, supports: tuple[ProfilerSupport, ...]
) -> dict[str, tuple[str, ...]]:
    """What `{backend}`, `{options}` and `{profiler}` stand for."""
    return {
        "backend": target.backends[variant.backend].argv,
        "options": tuple(
            fill(word, {"value": value})
            for name, value in variant.options
            for word in target.options[name].argv
        ),
        "profiler": tuple(word for support in supports for word in support.argv),
    }


def _log_filter(target: Target, supports: tuple[ProfilerSupport, ...]) -> dict[str, str]:
    """Profilers that share a capture share one log filter: every directive, once."""
    filters = [s.log_filter for s in supports if s.log_filter] or (
        [target.log_filter] if target.log_filter else []
    )
    joined: dict[str, list[str]] = {}
    for name, value in filters:
        words = joined.setdefault(name, [])
        words += [word for word in value.split(",") if word not in words]
    return {name: ",".join(words) for name, words in joined.items()}
