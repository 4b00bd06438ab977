"""The one way in which analysis says that a capture tells nothing."""

from __future__ import annotations

LONGER = "Let the load run longer or do more: a larger `runtime` or `size` of fio, more work in a command."
"""What to do where there was too little to see."""


class ProfileError(Exception):
    """A capture that should have worked and is empty, cut short or without names.

    `reason` says what was found in words, `fix` the setting to change. Processing turns it into a profile of
    status `refused`; it is never drawn as an empty picture.
    """

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason} {fix}".strip())
        self.reason = reason
        self.fix = fix


class UnavailableError(ProfileError):
    """What was built is a program that this profiler cannot look at: nothing was to be had, and nothing failed."""
