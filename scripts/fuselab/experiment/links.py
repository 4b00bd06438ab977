"""Reads `network:` of a variant: how far off the services of its backend are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fuselab.experiment.variants import Draft
from fuselab.schema import units
from fuselab.schema.diagnostics import Diagnostics
from fuselab.targets.model import Backend, Link

_OF_ALL = ("delay", "jitter", "rate")


def read_links(diagnostics: Diagnostics, draft: Draft, backend: Backend) -> tuple[tuple[str, Link], ...]:
    """By what each service is to the backend; what is said of all holds where nothing is said of one."""
    asked: Mapping[str, Any] = draft.values.get("network", {})
    if not asked:
        return ()
    at, roles = draft.place("network"), dict(backend.services)
    if not roles:
        message = f"the backend '{backend.name}' has no service that could be some way off"
        diagnostics.add(at, message, of_key=True)
        return ()
    for role in asked.keys() - {*_OF_ALL, *roles}:
        names = [role for role in roles if role] or [*_OF_ALL]
        diagnostics.unknown((*at, role), "service", names, of_key=True, why=f" of '{backend.name}'")
    of_all = {key: value for key, value in asked.items() if key in _OF_ALL}
    found = []
    for role in roles:
        own = asked.get(role, {}) if role else {}
        link = _link({**of_all, **own})
        if link.jitter_s > link.delay_s:
            place = (*at, role, "jitter") if "jitter" in own else (*at, "jitter")
            diagnostics.add(place, "nothing arrives before it is sent: the jitter is at most the delay")
        if link != Link():
            found.append((role, link))
    return tuple(found)


def _link(asked: Mapping[str, str]) -> Link:
    return Link(
        delay_s=units.seconds(asked.get("delay", "0s")),
        jitter_s=units.seconds(asked.get("jitter", "0s")),
        rate_bits_s=units.bits_per_s(asked["rate"]) if "rate" in asked else 0.0,
    )
