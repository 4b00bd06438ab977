"""One number out of what a program writes: found, or said why not."""

from __future__ import annotations

import re

import pytest

from fuselab import readouts
from fuselab.readouts import ReadoutError

MDTEST = """\
SUMMARY rate (in ops/sec): (of 1 iterations)
   Operation                     Max            Min           Mean        Std Dev
   File creation              12345.678      12345.678      12345.678          0.000
   File stat                   1.5e+05        1.5e+05        1.5e+05          0.000
"""
PROMETHEUS = r"""
# HELP http_requests_total The total number of HTTP requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200"} 1027 1395066363000
http_requests_total{method="post",code="400"}    3 1395066363000
msdos_file_access_time_seconds{path="C:\\DIR\\FILE.TXT",error="Cannot find file:\n\"FILE.TXT\""} 1.458255915e9
metric_without_timestamp_and_labels 12.47
something_weird{problem="division by zero"} +Inf -3982045
"""
"""Out of Prometheus' own documentation of the format."""
CSV = "# fsbench 3\noperation,ops,p99\ncreate,1500,2.5\nstat, 9000 ,0.1\n"


def test_a_group_of_a_regular_expression_is_found_in_the_one_line_that_has_it():
    assert readouts.by_regex(MDTEST, re.compile(r"File creation\s+(\S+)")) == 12345.678
    assert readouts.by_regex(MDTEST, re.compile(r"File stat\s+(\S+)")) == 150_000


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        (r"Tree removal\s+(\S+)", "a line that matches the regular expression `Tree removal"),
        (r"File \w+\s+(\S+)", "lines 3, 4"),
        (r"(Operation)", "line 2 holds 'Operation', which is no number"),
    ],
)
def test_what_is_not_one_number_says_what_was_looked_for_and_where(pattern, words):
    with pytest.raises(ReadoutError, match=re.escape(words)):
        readouts.by_regex(MDTEST, re.compile(pattern))


def test_json_is_found_among_other_text_and_over_several_lines():
    text = 'Preparing...\n{\n  "jobs": [{"p99 us": "12.5"}, {"p99 us": 7}]\n}\n[done] in 3 s\n'
    assert readouts.by_json(text, "$.jobs[0]['p99 us']") == 12.5
    assert readouts.by_json(text, '$.jobs[-1]["p99 us"]') == 7


def test_a_place_that_two_documents_have_is_not_one_value():
    with pytest.raises(ReadoutError, match="lines 1, 3"):
        readouts.by_json('{"rate": 1}\n{"other": 2}\n{"rate": 3}\n', "$.rate")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("nothing\n", "no JSON was found"),
        ('{"a": {}}', "holds no number, but an object"),
        ('{"a": true}', "holds no number, but true or false"),
        ('{"a": NaN}', "no number"),
        ('{"b": 1}', "a JSON document with $.a was expected"),
    ],
)
def test_json_without_the_number_says_what_it_has(text, words):
    with pytest.raises(ReadoutError, match=re.escape(words)):
        readouts.by_json(text, "$.a")


@pytest.mark.parametrize("path", ["$.jobs[*].p99", "$..p99", "$.a[0,1]", "$.a[1:3]", "$.a[?(@.b > 1)]"])
def test_a_path_to_several_values_is_told_from_the_path_alone(path):
    with pytest.raises(ValueError, match="may find several values"):
        readouts.json_path(path)


@pytest.mark.parametrize("path", ["", "$", "p99", "$.", "$.a b", "$a", "$.a[b]"])
def test_what_is_no_path_is_said_to_be_none(path):
    with pytest.raises(ValueError, match="is not a path"):
        readouts.json_path(path)
    assert readouts.json_path("$['*'].a") == ("*", "a"), "in quotes anything may stand"


def test_samples_of_prometheus_are_those_of_its_documentation():
    samples = list(readouts.prometheus_samples(PROMETHEUS))
    assert [sample.name for sample in samples].count("http_requests_total") == 2
    assert samples[2].labels == {"path": "C:\\DIR\\FILE.TXT", "error": 'Cannot find file:\n"FILE.TXT"'}
    assert readouts.by_prometheus(PROMETHEUS, 'http_requests_total{code="400"}') == 3
    assert readouts.by_prometheus(PROMETHEUS, "metric_without_timestamp_and_labels") == 12.47
    with pytest.raises(ReadoutError, match="lines 4, 5"):
        readouts.by_prometheus(PROMETHEUS, "http_requests_total")
    with pytest.raises(ReadoutError, match="inf"):
        readouts.by_prometheus(PROMETHEUS, "something_weird")


def test_a_cell_of_a_table_is_found_by_its_column_and_row():
    assert readouts.by_csv(CSV, "ops", 1) == 1500
    assert readouts.by_csv(CSV, "ops", -1) == 9000
    assert readouts.by_csv(CSV, "p99", {"operation": "create"}) == 2.5


@pytest.mark.parametrize(
    ("column", "row", "words"),
    [
        ("rate", 1, "no line has the column 'rate'"),
        ("ops", None, "a row below the header was expected once, and there are 2: lines 3, 4"),
        ("ops", 3, "there is no row 3: 2 stand below the header"),
        ("ops", {"operation": "unlink"}, "a row with unlink in 'operation' was expected, and there is none"),
        ("ops", {"verb": "unlink"}, "no column 'verb'"),
        ("operation", 1, "line 3, column 'operation', holds 'create'"),
    ],
)
def test_a_cell_that_is_not_there_says_what_is(column, row, words):
    with pytest.raises(ReadoutError, match=re.escape(words)):
        readouts.by_csv(CSV, column, row)
