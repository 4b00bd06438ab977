"""The terminal of whoever typed the command, for a job whose own output goes to its log."""

from __future__ import annotations

import os
from contextlib import suppress

_screen: list[int] = []


def keep_screen() -> None:
    """Remember the standard error that this job was started with, before its output goes elsewhere."""
    _screen[:] = [os.dup(2)]


def on_screen(text: str) -> None:
    """Say what cannot wait until somebody reads the log: to whoever typed the command, and in the log."""
    for descriptor in (2, *_screen):
        with suppress(OSError):
            os.write(descriptor, f"{text}\n".encode())
