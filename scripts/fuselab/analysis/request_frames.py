"""Frames of stacks of requests that are no functions: what becomes of a request."""

QUEUED, SERVED, IN_FLIGHT = "queued", "served", "in flight"
"""Below the opcode; the last where nobody saw it picked up."""
ON_CPU, BLOCKED, PREEMPTED, AWAITING = "[on CPU]", "[blocked]", "[preempted]", "[nobody runs for it]"
"""The last frame of a stack."""
ALL = frozenset({QUEUED, SERVED, IN_FLIGHT, ON_CPU, BLOCKED, PREEMPTED, AWAITING})
