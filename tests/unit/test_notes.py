"""Three captures of one thing say it once."""

from fuselab.analysis.quality import Quality
from fuselab.profilers.notes import said_once

LIBFUSE = "/usr/lib/x86_64-linux-gnu/libfuse3.so.3.14.0"


def test_what_is_the_same_is_said_once() -> None:
    assert said_once([["a", "b"], ["b", "a"], ["a", "b"]]) == ("a", "b")
    assert said_once([]) == ()


def test_figures_that_differ_are_a_range() -> None:
    notes = [
        "5 of 1,040 spans (0.5%) were open.",
        "12 of 998 spans (1.2%) were open.",
        "7 of 999 spans (0.7%) were open.",
    ]
    assert said_once([[note] for note in notes]) == (
        "5 to 12 of 998 to 1,040 spans (0.5 to 1.2%) were open.",
    )


def test_what_some_captures_say_says_how_many() -> None:
    cut = "The trace was cut short."
    assert said_once([[cut], [], [cut]]) == (f"In 2 of 3 captures: {cut}",)
    assert said_once([[cut]]) == (cut,)


def test_figures_within_names_are_no_figures() -> None:
    notes = ["trace-17.json has 0 bytes.", "trace-18.json has 0 bytes."]
    assert said_once([[note] for note in notes]) == tuple(f"In 1 of 2 captures: {note}" for note in notes)
    path = f"No names from {LIBFUSE}: its build id is 12ab, not 34."
    assert said_once([[path], [path]]) == (path,)


def test_the_quality_of_three_captures_is_told_once() -> None:
    """A library that is worth a word in one of them alone makes no second note."""
    qualities = [
        Quality(0.55, 0.60, nameless={LIBFUSE: 0.33}),
        Quality(0.61, 0.57, nameless={LIBFUSE: 0.31, "/opt/fs": 0.06}),
        Quality(0.58, 0.59, nameless={LIBFUSE: 0.35}),
    ]
    whole, named = said_once([quality.limits() for quality in qualities])
    assert whole.startswith("Only 55 to 61% of the stacks are whole for sure. Code that was built")
    assert named.startswith("Only 57 to 60% of the frames of the program and its libraries have a name.")
    assert "libfuse3.so.3.14.0 (33 to 35% of the frames)" in named
    assert "In " not in whole + named
