"""From an experiment's files to its page: `write_report(inputs, out)`."""

from __future__ import annotations

from pathlib import Path

from fuselab.files import write_atomically
from fuselab.records import places
from fuselab.records.places import Home
from fuselab.report import counts, origin, words
from fuselab.report.context import FigureView, Link, Page, Section
from fuselab.report.embed import Carrier, Draws, in_both_widths
from fuselab.report.inputs import ReportInputs
from fuselab.report.page import (
    because,
    blindspots,
    cautions,
    costs,
    curves,
    distributions,
    failures,
    guards,
    matrix,
    profiles,
    provenance,
    queries,
    ratios,
    verdict_table,
    verdicts,
    work,
)
from fuselab.report.reading import Results
from fuselab.report.templating import rendered


def write_report(inputs: ReportInputs, out: Path) -> None:
    """Write the page of one experiment. Links in it are relative to `out`'s folder."""
    write_atomically(out, rendered("report.html.j2", page=page(inputs, out)))


def page(inputs: ReportInputs, out: Path) -> Page:
    results, carrier = Results(inputs), Carrier(out)
    plan = results.plan
    comparisons = Link(carrier.href(inputs.comparisons), "comparisons.csv")
    cost_links = (Link(carrier.href(inputs.costs), "costs.csv"),) if inputs.costs else ()
    views = profiles.profilers(results, carrier)
    reasons = because.views(results)
    judged, shared = verdicts.verdict_views(results, {each.cell: f"#{each.figure.key}" for each in reasons})
    drawn = curves.curves(results)
    spots = blindspots.blind_spots(results)
    counted = work.section(results, (comparisons,))
    nights = Home(inputs.folder).history_page
    asked = queries.queries(results, carrier)
    there = {
        "curves": drawn,
        "time": spots or views,
        "work": counted,
        "profilers": views or asked,
        "cost": plan.profilers,
    }
    return Page(
        name=plan.experiment,
        title=plan.title,
        lead=_lead(results),
        night=plan.night,
        history=carrier.href(nights) if nights.is_file() else None,
        alarms=verdicts.alarms(results),
        failures=failures.uncompared(results),
        warnings=(*shared, *cautions.cautions(results)),
        verdicts=judged,
        matrix=matrix.matrix(judged),
        guards=guards.views(results),
        many=len(judged) > verdicts.MANY,
        ratios=_figure("ratios", ratios.draws(results)),
        because=reasons,
        comparisons=verdict_table.comparison_table(results, (comparisons,)),
        reading=verdict_table.reading(plan),
        work=counted,
        curves=drawn,
        distributions=distributions.distributions(results),
        blindspots=spots,
        sight=blindspots.sight(results),
        account_recorders=blindspots.recorders(),
        account_asked=blindspots.asked(plan),
        profilers=views,
        queries=asked,
        costs=_figure("costs", costs.draws(results)),
        cost_table=costs.table(results, cost_links),
        cost_text=costs.text(results),
        provenance=provenance.provenance(results, carrier),
        sections=tuple(Section(*each) for each in _SECTIONS if there.get(each[0], True)),
        embeds=carrier.embeds,
        overview=Link(carrier.href(places.Results(inputs.folder.parents[1]).report), "All experiments"),
    )


def _figure(name: str, draws: Draws | None) -> FigureView | None:
    return in_both_widths(name, draws) if draws else None


_SECTIONS = (
    ("verdicts", "Verdicts"),
    ("curves", "Curves"),
    ("runs", "Block by block"),
    ("work", "Work"),
    ("time", "Where the time is"),
    ("profilers", "Profilers"),
    ("cost", "What profiling cost"),
    ("provenance", "Provenance"),
)


def _lead(results: Results) -> tuple[str, ...]:
    plan = results.plan
    points = f" at {words.plural(len(plan.workloads), 'point')}" if plan.curves else ""
    targets, *measured = origin.lead(plan, *origin.when(results), origin.hosts(results))
    said = [
        targets,
        words.plural(len(plan.variants), "variant"),
        words.plural(len(plan.judged), "workload") + points,
        counts.total(results),
        *measured,
    ]
    return tuple(text for text in said if text)
