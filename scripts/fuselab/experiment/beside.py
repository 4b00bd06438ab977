"""What stands beside the load in each run of a mount, and about how long it takes where no run has told that yet."""

from __future__ import annotations

from fuselab.records.request import MountConfig
from fuselab.records.run import LONGEST_TRIPS_S, TRIPS

_SERVICE_S = 1.0
"""Of each process of a service: to start it, until it is ready, and to stop it."""


def services_s(mount: MountConfig) -> float:
    """To start and stop its services."""
    return _SERVICE_S * sum(service.members for _, service in mount.services)


def ways_s(mount: MountConfig) -> float:
    """To measure round trips to services that are some way off, before the load and after it."""
    trips_s = (2 * link.delay_s for _, link in mount.links)
    return sum(2 * min(TRIPS * trip_s, LONGEST_TRIPS_S + trip_s) for trip_s in trips_s)


def drain_s(mount: MountConfig) -> float | None:
    """To see that it has drained, at the least; None where only a run can tell."""
    if mount.drain is None:
        return 0.0
    return mount.drain.quiet_s or None


def beside_s(mount: MountConfig) -> float:
    """All of it, as far as that is known."""
    return services_s(mount) + ways_s(mount) + (drain_s(mount) or 0.0)
