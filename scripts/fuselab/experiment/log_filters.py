"""A variant's own log filter takes the place of the one that a profiler needs: what is lost by that.

In the words of Rust's EnvFilter: directives separated by commas, each a level or `target=level`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from fuselab import profilers
from fuselab.experiment.loading import Loaded
from fuselab.experiment.looking import looking_at_targets
from fuselab.targets.model import ProfilerSupport

_LEVELS = ("off", "error", "warn", "info", "debug", "trace")


@dataclass(frozen=True)
class Replaced:
    """`own` is what the variable says, `lacking` what the profiler needs beyond that."""

    profiler: str
    variable: str
    own: str
    lacking: str

    def __str__(self) -> str:
        return (
            f"{self.variable}={self.own} of the variant takes the place of the filter that {self.profiler} needs, and "
            f"lacks {self.lacking}: what that would let through is not recorded"
        )


def replaced_in(loaded: Loaded) -> Iterator[tuple[str, Replaced]]:
    """Of an experiment: by the variant's name."""
    if not looking_at_targets(loaded.experiment.workloads):
        return
    names = dict.fromkeys(name for names in loaded.experiment.profilers for name in names)
    for variant in loaded.experiment.variants:
        target = loaded.targets[variant.target]
        can = [name for name in names if profilers.REGISTRY[name].capability(target).level != "unavailable"]
        supports = (target.profilers[name] for name in can if name in target.profilers)
        yield from ((variant.name, each) for each in replaced(supports, dict(variant.env)))


def replaced(supports: Iterable[ProfilerSupport], env: Mapping[str, str]) -> Iterator[Replaced]:
    """What an environment's filters leave out of those that profilers need."""
    for support in supports:
        variable, needed = support.log_filter or ("", "")
        if variable not in env:
            continue
        own = _directives(env[variable])
        lacking = [word for word in needed.split(",") if "=" in word and not _let_through(word, own)]
        if lacking:
            yield Replaced(support.name, variable, env[variable], ",".join(lacking))


def _let_through(needed: str, own: Mapping[str, str]) -> bool:
    """Whether the longest directive that speaks of the target lets the level through."""
    target, _, level = needed.partition("=")
    speaking = [known for known in own if target == known or known == "" or target.startswith(f"{known}::")]
    return bool(speaking) and _rank(own[max(speaking, key=len)]) >= _rank(level)


def _directives(text: str) -> dict[str, str]:
    """Target -> level; "" is the target of a level that stands alone, and a target alone lets all through."""
    found = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        target, equals, level = word.partition("=")
        alone = not equals and target.lower() in _LEVELS
        found["" if alone else target] = target if alone else level or "trace"
    return found


def _rank(level: str) -> int:
    """What is no level is taken to let all through: it is not ours to judge."""
    return _LEVELS.index(level.lower()) if level.lower() in _LEVELS else len(_LEVELS)
