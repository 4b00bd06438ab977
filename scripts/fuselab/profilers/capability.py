"""What a profiler can do for a target, judged from its target.yaml before anything is built."""

from __future__ import annotations

from fuselab.profilers.base import Capability
from fuselab.target.model import Installed, NoBuild, Target

OK = Capability("ok")


def described(profiler: str, target: Target) -> Capability:
    """For profilers that the program itself must support: what target.yaml says."""
    support = target.profilers.get(profiler)
    if support is None:
        return Capability("unavailable", f"target.yaml of {target.name} does not describe it")
    if support.unavailable is not None:
        return Capability("unavailable", support.unavailable)
    return OK


def native(profiler: str, target: Target) -> Capability:
    """For profilers that look at any native program from outside."""
    support = target.profilers.get(profiler)
    if support is not None and support.unavailable is not None:
        return Capability("unavailable", support.unavailable)
    if isinstance(target.build, NoBuild):
        return Capability("unavailable", f"{target.name} has no program to look at")
    if isinstance(target.build, Installed):
        return Capability(
            "limited", "an installed program: distribution packages are built without frame pointers, stacks may be broken"
        )
    return OK
