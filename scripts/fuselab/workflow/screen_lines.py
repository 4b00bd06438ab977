"""What Snakemake says on the screen, in lines that a person reads: no line without news, no reason without end."""

from __future__ import annotations

import logging
import re

from snakemake.settings.enums import Quietness

_WITHOUT_NEWS = re.compile(r"Select jobs to execute\.\.\.|Execute \d+ jobs\.\.\.")
_MOST_NAMES = 2
"""How many files a reason names before it counts them."""
_NAMES = re.compile(r"(?<=: )[^;:]+")


def tidy_screen() -> None:
    """Have it so for all that Snakemake logs from now on; what other loggers than the screen's get stays as it is."""
    logger = logging.getLogger("snakemake.logging")
    if not any(isinstance(each, _Tidy) for each in logger.filters):
        logger.addFilter(_Tidy())


class _Tidy(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        if _WITHOUT_NEWS.fullmatch(record.getMessage()):
            # As quiet as about the host, which profiles/default/config.yaml does not want on the screen either.
            record.quietness = Quietness.HOST
        if reason := getattr(record, "reason", None):
            record.reason = shortened(str(reason))
        return True


def shortened(reason: str) -> str:
    """`Input files updated by another job: a, b and 61 more` of a reason that names 63 files."""
    return _NAMES.sub(lambda match: _counted(match[0].split(", ")), reason)


def _counted(names: list[str]) -> str:
    if len(names) <= _MOST_NAMES + 1:
        return ", ".join(names)
    return f"{', '.join(names[:_MOST_NAMES])} and {len(names) - _MOST_NAMES} more"
