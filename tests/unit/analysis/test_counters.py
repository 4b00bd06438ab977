"""What etcd, redis and PostgreSQL said of themselves after operations that are known, and what nobody should count."""

from __future__ import annotations

from pathlib import Path

import pytest

from fuselab.analysis.counters import chosen, difference, parse
from fuselab.targets.services import read_service

GOLDEN = Path(__file__).resolve().parents[2] / "golden" / "counters"


def said(service: str, checkout: Path) -> dict[str, float]:
    """What the service's file as shipped makes of the golden text."""
    (source,) = read_service(service, checkout)[1]
    counters = parse((GOLDEN / f"{service}.txt").read_bytes().decode(), source.format, source.by)
    return chosen(counters, source.only, source.without, dict(source.rename))


def test_etcd_counts_one_put_and_three_ranges(checkout: Path) -> None:
    counters = said("etcd", checkout)
    assert {name: value for name, value in counters.items() if name.startswith(("requests", "mvcc"))} == {
        "requests.Put": 1,
        "requests.Range": 3,
        "requests.Txn": 0,
        "requests.DeleteRange": 0,
        "requests.Compact": 0,
        "mvcc.put": 1,
        "mvcc.range": 3,
        "mvcc.txn": 0,
        "mvcc.delete": 0,
    }
    assert (counters["wal_fsync"], counters["received_bytes"], counters["sent_bytes"]) == (6, 15, 152)


def test_redis_counts_calls_of_each_command_but_for_the_reading(checkout: Path) -> None:
    assert said("redis", checkout) == {
        "cmdstat_get.calls": 2,
        "cmdstat_hset.calls": 1,
        "cmdstat_set.calls": 1,
    }


def test_postgres_counts_what_was_done_to_each_table(checkout: Path) -> None:
    counters = said("postgres", checkout)
    assert {name: value for name, value in counters.items() if name.startswith("t.")} == {
        "t.inserted": 2,
        "t.updated": 1,
        "t.deleted": 1,
        "t.scans": 3,
    }
    assert counters["tuples_inserted"] == 2 + 37


def test_a_gauge_is_read_where_what_may_go_down_is_asked_for() -> None:
    text = "# TYPE uploads gauge\nuploads 3\n# TYPE bytes counter\nbytes 9\n"
    assert parse(text, "prometheus") == {"bytes": 9}
    assert parse(text, "prometheus", gauges=True) == {"uploads": 3, "bytes": 9}


def test_prometheus_gauges_buckets_and_quantiles_are_left_out() -> None:
    names = set(parse((GOLDEN / "etcd.txt").read_text(), "prometheus"))
    gauges = {"process_open_fds", "go_info", "etcd_mvcc_db_total_size_in_bytes"}
    assert not names & gauges
    assert not [name for name in names if "bucket" in name]
    assert {
        "go_gc_duration_seconds_count",
        "go_gc_duration_seconds_sum",
        "etcd_disk_wal_fsync_duration_seconds_count",
        "process_cpu_seconds_total",
    } <= names
    assert "go_gc_duration_seconds" not in names, "a quantile is no counter"


def test_series_are_summed_over_the_labels_that_nobody_asked_for() -> None:
    text = (
        "# TYPE calls counter\n"
        'calls{method="Put",code="OK"} 3\n'
        'calls{method="Put",code="Bad {}\\" one"} 2 1690000000\n'
        'calls{method="Get"} 1\n'
    )
    assert parse(text, "prometheus") == {"calls": 6}
    assert parse(text, "prometheus", ["method"]) == {"calls.Put": 5, "calls.Get": 1}


def test_json_is_flattened_to_dotted_paths() -> None:
    text = '{"cache": {"hits": 3, "ratio": 0.5, "on": true, "name": "lru"}, "disks": [{"reads": 7}, {"reads": 9}]}'
    assert parse(text, "json") == {
        "cache.hits": 3,
        "cache.ratio": 0.5,
        "disks.0.reads": 7,
        "disks.1.reads": 9,
    }


@pytest.mark.parametrize("between", [" ", ": ", "=", " = ", ":\t"])
def test_a_line_is_a_name_and_a_value(between: str) -> None:
    counted = f"read calls{between}12\nbytes{between}1.5e3\n"
    text = f"# of today 7\nStatistics\n{counted}last{between}never\nopen{between}nan\n"
    assert parse(text, "lines") == {"read calls": 12, "bytes": 1500}


@pytest.mark.parametrize(
    ("form", "text", "words"),
    [
        ("json", "{", "it is no JSON"),
        ("json", "[" * 100_000, "it is no JSON"),
        ("json", "[1" + "0" * 400 + "]", "it is no JSON"),
        ("lines", "a 1\na 2\n", "`a` stands there twice"),
        ("redis", "-NOAUTH Authentication required.\r\n", "redis refused"),
    ],
)
def test_what_cannot_be_read_is_said(form: str, text: str, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        parse(text, form)


def test_patterns_choose_and_names_become_what_a_metric_may_be_called() -> None:
    counters = {"read calls": 1.0, "io.reads": 2.0, "io.writes": 3.0, "cpu/λ": 4.0}
    assert chosen(counters, only=["io.*", "read*"], without=["*.writes"]) == {"read_calls": 1, "io.reads": 2}
    assert chosen(counters, only=["cpu*"]) == {"cpu": 4}
    assert chosen(counters, ["io.*"], rename={"io": "disk", "io.reads": "r"}) == {"r": 2, "disk.writes": 3}
    with pytest.raises(ValueError, match=r"would be called `io\.reads`"):
        chosen({"io.reads": 1.0, "io.reads?": 1.0})


def test_only_what_counts_up_is_a_difference() -> None:
    found = difference({"a": 5, "b": 5, "gone": 1}, {"a": 7, "b": 3, "new": 2})
    assert found.counted == {"a": 2, "new": 2}
    assert "`b` (5 to 3)" in found.notes[0]
    assert "`gone`" in found.notes[1]
