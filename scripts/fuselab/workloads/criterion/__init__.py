"""A Criterion bench of the target's own package."""
