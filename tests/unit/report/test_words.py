"""Numbers and names as a reader meets them."""

import math

import pytest

from fuselab.report import words
from fuselab.report.templating import templates

NB, NN = "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}"


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (432_013_312, "B/s", f"412{NB}MiB/s"),
        (3.2e9, "ns", f"3.20{NB}s"),
        (1500, "us", f"1.50{NB}ms"),
        (0, "s", f"0{NB}s"),
        (33_554_432, "bytes", f"32.0{NB}MiB"),
        (0.992, "share", f"99.2{NB}%"),
        (0.0004, "share", f"0.040{NB}%"),
        (12_345, "", f"12{NN}345"),
        (25_000_000, "", f"25.0{NB}M"),
        (3296.5, "1/s", f"3{NN}296{NB}1/s"),
        (7.25, "furlongs", f"7.25{NB}furlongs"),
        (math.nan, "ns", "none"),
        (None, "ns", "none"),
    ],
)
def test_a_number_has_its_unit_in_the_prefix_that_reads_best(value, unit, said):
    assert words.quantity(value, unit) == said


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (0.65, 0.72, f"−35 to −28{NB}%"),
        (0.988, 1.02, f"−1.2 to +2.0{NB}%"),
        (0.509, 0.515, f"−49.1 to −48.5{NB}%"),
        (0.309, 0.315, f"0.31 to 0.32{NB}×"),
        (0.45, 0.9, f"0.45 to 0.90{NB}×"),
        (3.18, 3.24, f"3.18 to 3.24{NB}×"),
        (2.7, 3.1, f"2.7 to 3.1{NB}×"),
        (1.0, 1.03, f"0 to +3.0{NB}%"),
    ],
)
def test_an_interval_keeps_as_many_digits_as_tell_its_ends_apart(low, high, said):
    assert words.change_interval(low, high) == said


@pytest.mark.parametrize(
    ("ratio", "low", "high", "said"),
    [
        (0.69, 0.65, 0.72, (f"31{NB}%", f"28 to 35{NB}%")),
        (1.31, 1.28, 1.35, (f"31{NB}%", f"28 to 35{NB}%")),
        (3.4, 3.1, 3.8, (f"3.4{NB}×", f"3.1 to 3.8{NB}×")),
        (1.91, 1.7, 2.2, (f"1.9{NB}×", f"1.7 to 2.2{NB}×")),
        (0.02, 0.018, 0.021, (f"0.020{NB}×", f"0.018 to 0.021{NB}×")),
    ],
)
def test_a_decided_change_is_told_without_a_sign_and_as_a_factor_from_a_doubling_or_halving_on(
    ratio, low, high, said
):
    assert words.magnitude(ratio, low, high) == said


@pytest.mark.parametrize(
    ("ratio", "low", "high", "said"),
    [
        (1.126, 1.122, 1.129, f"+12.6{NB}% (+12.2 to +12.9{NB}%)"),
        (0.874, 0.871, 0.878, f"−12.6{NB}% (−12.9 to −12.2{NB}%)"),
        (2.067, 2.063, 2.072, f"2.07{NB}× (2.06 to 2.07{NB}×)"),
        (0.4843, 0.4838, 0.4849, f"0.484{NB}× (0.484 to 0.485{NB}×)"),
        (1.31, 1.28, 1.35, f"+31{NB}% (+28 to +35{NB}%)"),
        (1.05, 1.0492, 1.0507, f"+5{NB}% (+4.9 to +5.1{NB}%)"),
    ],
)
def test_an_estimate_does_not_seem_to_lie_outside_of_its_interval(ratio, low, high, said):
    assert words.estimate(ratio, low, high) == said


@pytest.mark.parametrize(
    ("metric", "noun", "verb"),
    [
        ("write.bw", "write bandwidth", "writes"),
        ("read.iops", "read operations per second", "reads"),
        ("write.p50", "median write latency", None),
        ("write.p99", "p99 write latency", None),
        ("read.p999", "p99.9 read latency", None),
        ("target.cpu_s", "CPU time of the target", None),
        ("bench.big_file/write", "time of the bench big_file/write", "runs the bench big_file/write"),
        ("something.new", "something.new", None),
    ],
)
def test_metrics_are_called_what_people_call_them_and_unknown_ones_by_their_name(metric, noun, verb):
    phrase = words.phrase(metric)
    assert (phrase.noun, phrase.verb) == (noun, verb)


def test_a_sentence_begins_with_a_capital_unless_a_name_stands_there():
    assert words.capital("write bandwidth is up") == "Write bandwidth is up"
    assert words.capital("p99 write latency is up") == "p99 write latency is up"
    assert words.capital("`two` failed") == "`two` failed"


@pytest.mark.parametrize(
    ("ratio", "low", "high", "said"),
    [
        (0.69, 0.65, 0.72, f"−31{NB}% (−35 to −28{NB}%)"),
        (1.91, 1.7, 2.2, f"1.9{NB}× (1.7 to 2.2{NB}×)"),
        (0.95, 0.5, 2.2, f"0.95{NB}× (0.50 to 2.2{NB}×)"),
    ],
)
def test_an_estimate_and_its_interval_have_one_form(ratio, low, high, said):
    assert words.estimate(ratio, low, high) == said


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "other processes used 93% of a core (limit 5 %)",
            f"other processes used 93{NB}% of a core (limit 5{NB}%)",
        ),
        ("5 blocks: an interval of 95.0% needs 6", f"5 blocks: an interval of 95{NB}% needs 6"),
        (
            "the 7 others alone give -4.2% (-6.0% to +1.0%)",
            f"the 7 others alone give −4.2{NB}% (−6.0{NB}% to +1.0{NB}%)",
        ),
        ("a%20b and %s stay, as p99-5 does", "a%20b and %s stay, as p99-5 does"),
    ],
)
def test_percentages_in_prose_from_elsewhere_take_the_form_of_the_page(text, said):
    assert words.percents(text) == said


@pytest.mark.parametrize(
    ("first", "last", "said"),
    [
        ("2026-03-01 22:14", "2026-03-01 23:02", "2026-03-01 22:14 to 23:02 UTC"),
        ("2026-03-01 22:14", "2026-03-02 00:40", "2026-03-01 22:14 to 2026-03-02 00:40 UTC"),
        ("2026-03-01 22:14", "2026-03-01 22:14", "2026-03-01 22:14 UTC"),
        ("", "", ""),
    ],
)
def test_a_period_names_its_day_once(first, last, said):
    assert words.period(first, last) == said


def test_levels_are_shown_as_they_are():
    assert [words.level(0.95), words.level(0.978), words.level(95)] == [f"95{NB}%", f"97.8{NB}%", f"95{NB}%"]


def test_text_in_markdown_neither_ends_a_cell_nor_opens_a_tag():
    assert words.markdown("a|b <script>\n`x`") == "a\\|b &lt;script&gt; \\`x\\`"


def test_ticks_of_one_axis_are_all_factors_or_all_percent():
    assert [words.on_axis(tick, (0.2, 0.7, 1.0)) for tick in (0.2, 0.7, 1.0)] == [
        f"0.20{NB}×", f"0.70{NB}×", "no change",
    ]  # fmt: skip
    assert words.on_axis(0.7, (0.7, 1.0, 1.2)) == f"−30{NB}%"


def test_no_line_ends_within_a_date_or_a_short_word_of_a_heading():
    lead = (
        templates()
        .from_string("{{ text | ticks }}")
        .render(text="measured 2026-11-28 05:27 on `vm-2026-11-28` by <me>")
    )
    assert '<span class="whole">2026-11-28</span> 05:27 on <code>vm-2026-11-28</code> by &lt;me&gt;' in lead
    heading = templates().from_string("{{ text | whole }}").render(text="on-CPU & copy-cpu-of-everything")
    assert heading == '<span class="whole">on-CPU</span> &amp; copy-cpu-of-everything'


def test_a_figure_has_no_marks_of_code():
    assert words.phrase("command.create").noun == "`create` of the command"
    assert words.capital(words.plain_noun("command.create")) == "Create of the command"
    assert words.capital(words.plain_noun("command.p99")) == "p99 of the command"
