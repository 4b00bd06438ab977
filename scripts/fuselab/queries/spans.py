"""The questions that everybody asks of spans, ready-made. Times in the answers are us or s, as their names say."""

from __future__ import annotations

from fuselab.queries.query import Query

BUCKETS = 60

SLOWEST = Query(
    "Slowest operations",
    """\
select target, name, count(*) as calls, sum(dur_us) / 1e6 as total_s, sum(self_us) / 1e6 as self_s,
       quantile_cont(dur_us, 0.5) as p50_us, quantile_cont(dur_us, 0.99) as p99_us, max(dur_us) as max_us
from spans where closed group by target, name order by total_s desc, target, name limit 50""",
)
"""Every span that was closed, by name. Self time is what none of its children covers."""

CONCURRENCY = Query(
    "Concurrency over time",
    f"""\
with extent as (
    select min(start_us) as begin_us, greatest((max(start_us + dur_us) - min(start_us)) / {BUCKETS}, 0.001) as step_us
    from spans where parent is null),
edges as (
    select start_us as at_us, 1 as change from spans where parent is null
    union all select start_us + dur_us, -1 from spans where parent is null),
running as (
    select least(floor((at_us - begin_us) / step_us)::integer, {BUCKETS - 1}) as step, change, step_us,
           begin_us + (step + 1) * step_us - at_us as remaining_us,
           sum(change) over (order by at_us, change rows unbounded preceding) as open
    from edges, extent),
steps as (
    select step, sum(change) as net, sum(change * remaining_us) as area, max(open) as peak
    from running group by step),
whole as (
    select range as step, coalesce(net, 0) as net, coalesce(area, 0) as area, peak,
           coalesce(sum(net) over (order by range rows between unbounded preceding and 1 preceding), 0) as before
    from range({BUCKETS}) left join steps on steps.step = range)
select round((step + 0.5) * step_us / 1e6, 6) as at_s, round(before + area / step_us, 4) as mean_open,
       greatest(before, coalesce(peak, 0))::bigint as most_open
from whole, extent order by step""",
)
"""Outermost spans that were open at once, in BUCKETS equal steps from the first to the last."""

CHILDREN = Query(
    "Where a request's time goes",
    """\
with requests as (
    select target, name, count(*) as requests, sum(dur_us) as wall_us, sum(self_us) as self_us
    from spans where parent is null group by target, name),
inside as (
    select r.target, r.name, c.target as child_target, c.name as child, count(*) as calls, sum(c.dur_us) as child_us
    from spans c join spans r on c.parent = r.id where r.parent is null group by all
    union all select target, name, target, '(itself)', requests, self_us from requests)
select target, name, child_target, child, calls / requests as calls_per_request, child_us / 1e6 as total_s,
       child_us / requests as us_per_request, child_us / nullif(wall_us, 0) as share
from inside join requests using (target, name)
order by wall_us desc, target, name, child_us desc, child_target, child limit 100""",
)
"""For each outermost span: the spans directly in it, and what it keeps to itself.

Children that run at once add up to more than the whole.
"""

GAPS = Query(
    "Gaps between children",
    """\
with kids as (
    select parent, name, start_us, start_us + dur_us as end_us, lag(name) over begun as before,
           lead(1) over begun is null as last,
           max(start_us + dur_us) over (begun rows between unbounded preceding and 1 preceding) as free_us
    from spans where parent is not null window begun as (partition by parent order by start_us)),
inside as materialized (
    select p.target, p.name, coalesce(before, '(start)') as before, kids.name as child,
           kids.start_us - coalesce(free_us, p.start_us) as gap_us,
           if(last, p.start_us + p.dur_us - greatest(kids.end_us, free_us), null) as rest_us
    from kids join spans p on kids.parent = p.id),
gaps as (
    select target, name, before as after_child, child as before_child, gap_us from inside
    union all select target, name, child, '(end)', rest_us from inside where rest_us is not null)
select target, name, after_child, before_child, count(*) as gaps, sum(gap_us) / 1e6 as total_s,
       quantile_cont(gap_us, 0.5) as p50_us, max(gap_us) as max_us
from gaps where gap_us > 0 group by all order by total_s desc, target, name, after_child, before_child limit 50""",
)
"""Time in a span that none of its children covers, by the children that began before and after it."""

READY = (SLOWEST, CONCURRENCY, CHILDREN, GAPS)
