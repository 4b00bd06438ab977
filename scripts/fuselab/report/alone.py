"""A report for a place where nothing lies beside it: without links to files beside the page, and paths of its machine.

`python -m fuselab.report.alone REPORT OUT`, as `make demo` calls it.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from fuselab.files import write_atomically

_LINK = r'<a href="(?!#|data:|https?:)[^"]*"[^>]*>[^<]*</a>'
_BESIDE = (re.compile(f"{_LINK} · "), re.compile(f"(?: · )?{_LINK}"))
_STILL = re.compile(r"<noscript><img .*?</noscript>", re.DOTALL)
"""Shown without a script, from files beside the page."""


def alone(page: str, places: Mapping[str, str]) -> str:
    """`page` with all that it carries itself, and no more. `places` are paths of the machine, and what they are
    called instead, the longest first."""
    for pattern in (_STILL, *_BESIDE):
        page = pattern.sub("", page)
    for path, name in places.items():
        page = page.replace(path, name)
    return page


if __name__ == "__main__":
    report, out = map(Path, sys.argv[1:])
    write_atomically(out, alone(report.read_text(), {str(Path.cwd()): ".", str(Path.home()): "~"}))
