"""From what a page says to its text: the templates, and the filters that they may use."""

from __future__ import annotations

from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from fuselab.report import counts, words
from fuselab.report.figures import palette


def rendered(template: str, **context: object) -> str:
    """The file `template` below `templates/` with its places filled."""
    return _templates().get_template(template).render(**context)


@cache
def _templates() -> Environment:
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
        Markup("<code>{}</code>").format(part) if is_code else escape(words.percents(part))
        for part, is_code in words.pieces(text)
    )
