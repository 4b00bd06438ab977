"""From what a page says to its text: the templates, and the filters that they may use."""

from __future__ import annotations

import re
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fuselab.report import counts, words
from fuselab.report.figures import palette


def rendered(template: str, **context: object) -> str:
    """The file `template` below `templates/` with its places filled."""
    return templates().get_template(template).render(**context)


@cache
def templates() -> Environment:
    """All templates, with their filters."""
    loader = PackageLoader("fuselab.report")
    environment = Environment(
        loader=loader,
        autoescape=True,  # whatever the file's ending: names and SQL results are text
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "ticks": _ticks,
        "whole": _whole,
        "percent": words.percent,
        "period": words.period,
        "counted": counts.counted,
        "markdown": words.markdown,
        "prose": words.prose,
    }
    environment.globals |= {
        "include_raw": lambda name: Markup(loader.get_source(environment, name)[0]),
        "palette_light": Markup(palette.css(dark=False)),
        "palette_dark": Markup(palette.css(dark=True)),
    }
    return environment


def _ticks(text: str) -> Markup:
    """Prose escaped, with what stands between backticks as code, as it is."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if is_code else _whole(words.percents(part), _DATE)
        for part, is_code in words.pieces(text)
    )


_DATE = re.compile(r"\b\d{4}-\d\d-\d\d\b")
_HYPHENED = re.compile(r"(?<![\w-])\w+(?:-\w+)+(?![\w-])")
_FITS = 14
"""Letters of a word in a heading, `on-CPU`, say: longer ones may have to break on a phone."""


def _whole(text: str, kept: re.Pattern[str] = _HYPHENED) -> Markup:
    """Text escaped, in which no line ends at a hyphen of what is to be `kept`: browsers break there."""
    found, end = Markup(""), 0
    for match in (each for each in kept.finditer(text) if len(each[0]) <= _FITS):
        found += escape(text[end : match.start()]) + Markup('<span class="whole">{}</span>').format(match[0])
        end = match.end()
    return found + escape(text[end:])
