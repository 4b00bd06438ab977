"""Other people's text is shown whole, and as text: nothing in it is an order to a terminal or a spreadsheet."""

import csv
import io
import xml.etree.ElementTree as ElementTree

import pytest

from fuselab.foreign import cell, last_lines, last_words, name, plain, telling_lines


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("\x1b[2;3mat\x1b[0m src/main.rs", "at src/main.rs"),  # tracing's own colours
        ("\x1b[38;5;196mred\x1b[m", "red"),
        ("\x1b]0;a title\x07text", "text"),
        ("\x1b]52;c;c2VjcmV0\x1b\\text", "text"),  # writes the clipboard
        ("\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\", "link"),
        ("\x9b31mred\x9b0m", "red"),  # the same in one byte
        ("\x1bP+q544e\x1b\\text", "text"),
        ("\x1b(Btext\x1b=", "text"),
        ("\x1b]0;never ended", ""),
        ("cut short \x1b[3", "cut short "),
        ("a\x08\x08b\x00c\x7f", "abc"),
        ("10 %\r20 %\r\ndone", "10 %\n20 %\ndone"),
        ("evil\u202egnp.exe", "evilgnp.exe"),
        ("tab\tstays, 日本 and é too", "tab\tstays, 日本 and é too"),
        ("\udcff", "\ufffd"),
    ],
)
def test_escape_sequences_go_whole(said: str, shown: str):
    assert plain(said) == shown


def test_a_title_that_never_ends_takes_its_own_line_and_no_more():
    assert plain("\x1b]0;x\nthe next line") == "\nthe next line"


def test_whatever_character_comes_a_name_can_stand_in_xml_and_in_one_line():
    every = "".join(map(chr, range(0x20000)))
    ElementTree.fromstring(f"<t>{name(every).replace('&', '').replace('<', '')}</t>")
    assert "\n" not in name(every)


@pytest.mark.parametrize(
    "text", ["=HYPERLINK(1)", "+1+cmd", "-2+3", "+1 to cmd", "@SUM(A1)", "\t=1", "-[NSString length]"]
)
def test_a_spreadsheet_calculates_no_foreign_name(text: str):
    assert cell(text) == f"'{text}"


@pytest.mark.parametrize(
    "text", ["-1", "+1.5e-3", "-12.5 %", "-1,234", "-inf", "+26 to +51 %", "plain", "a=b", "<A as B>::c", ""]
)
def test_numbers_and_plain_names_stay(text: str):
    assert cell(text) == text


def test_a_line_that_tells_of_an_error_goes_before_the_very_last_ones():
    log = [f"INFO request {i}".encode() for i in range(100)]
    log[10] = b"\x1b[31mERROR\x1b[0m store: connection refused"
    log[20] = b"thread 'main' panicked at src/main.rs:3"
    text = b"\n".join(log)
    words = last_words(telling_lines(text, 10), last_lines(text, 20), 20)
    assert words[:3] == ["ERROR store: connection refused", "thread 'main' panicked at src/main.rs:3", "..."]
    assert words[-1] == "INFO request 99"
    assert len(words) == 20


def test_an_error_that_stands_among_the_last_lines_is_said_once_and_in_its_place():
    text = b"start\nERROR: no\nbye"
    assert last_words(telling_lines(text, 10), last_lines(text, 20), 20) == ["start", "ERROR: no", "bye"]


def test_a_cell_survives_a_round_trip_through_csv():
    text = io.StringIO()
    csv.writer(text).writerow([cell("=1"), cell("a")])
    assert next(csv.reader(io.StringIO(text.getvalue()))) == ["'=1", "a"]
