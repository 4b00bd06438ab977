"""The ways it can end badly, told apart because different people mend them."""

from __future__ import annotations

from typing import Literal


class FuselabError(Exception):
    """Whoever called can mend it: the message is for him, names the mend, and is said without a traceback."""


class JobError(FuselabError):
    """A job cannot do what it was asked to."""


class BuildError(FuselabError):
    """The build could not be made: the message ends with the compiler's own words."""


class ChangedError(FuselabError):
    """A file is not what was recorded of it; the message names it, and says what happens now."""


class UnreadableError(FuselabError, ValueError):
    """A file of fuselab's own is not what it leaves; the message names it."""


class MissingProgramError(FuselabError, FileNotFoundError):
    """A program that `make setup` installs is not there."""


class QueryError(FuselabError, ValueError):
    """A query cannot be answered: it is no SELECT, it is faulty, or it takes too long."""


class HoldError(FuselabError):
    """The variant cannot be held."""


class BisectError(FuselabError):
    """There is no line of commits to search, or something other than a commit keeps it from being measured."""


class ProjectError(FuselabError):
    """A folder that is no project, or cannot become one."""


class ScaffoldError(FuselabError):
    """The files for a command line cannot be written: it cannot be tried so."""


class RigError(FuselabError):
    """The machine cannot make the run: no /dev/fuse, no fio, a full disk, a port in use, namespaces forbidden.

    No fault of any variant.
    """


class ProgramError(RigError):
    """A program is not there, or cannot be started. Whose fault that is knows whoever asked for it."""


Fault = Literal["died or refused", "hung", "wrong data", "not permitted"]
"""Kinds of failure that are counted, tried again or reported differently."""


class TargetError(Exception):
    """The variant could not complete the run: it never mounted, it died, its load failed.

    Recorded as a failed run. The message holds the last log lines where there are any.
    """

    fault: Fault = "died or refused"


class HungError(TargetError):
    """The run stood still, with requests that nobody answered. The message is whole: it holds the last words."""

    fault = "hung"


class WrongDataError(TargetError):
    """What was read back is not what was written."""

    fault = "wrong data"


class CannotLookError(TargetError):
    """Nobody can look at the variant so on this machine: the kernel forbids it or does not tell of it, or the program
    that looks is missing. A failed capture whose reason the report shows, with the mend in a line of its own.

    Everything else of the experiment can still be made.
    """

    fault = "not permitted"

    def __init__(self, reason: str, mend: str) -> None:
        super().__init__(f"{reason}\n{mend}")


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


class NotElfError(ValueError):
    """The file exists but is not an ELF file that can be read."""


class NoSymbolsError(ValueError):
    """The file's debug information cannot be read at all."""


class Interrupted(BaseException):
    """SIGINT or SIGTERM came: take everything down in order. Not an Exception, so that nothing swallows it."""
