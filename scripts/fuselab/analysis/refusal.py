"""The one way in which analysis says that a capture tells nothing."""

from __future__ import annotations


class Refusal(Exception):
    """A capture that should have worked and is empty, cut short or without names.

    `reason` says what was found in words, `fix` the setting to change. Processing turns it into a profile of
    status `refused`; it is never drawn as an empty picture.
    """

    def __init__(self, reason: str, fix: str) -> None:
        super().__init__(f"{reason} {fix}".strip())
        self.reason = reason
        self.fix = fix
