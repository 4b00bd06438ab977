"""The report that goes where nothing lies beside it."""

import re
from pathlib import Path

from fuselab.report.alone import alone

ROOT = Path(__file__).parents[3]


def test_what_leads_beside_the_page_is_gone_and_what_it_carries_stays():
    page = (
        '<a href="../report.html">All</a><a href="#time">time</a><noscript><img src="a.svg"></noscript>'
        '<span><a href="data:text/csv;base64,YQ==">data</a> · <a href="comparisons.csv">comparisons.csv</a></span>'
        '<span><a href="a.svg">open alone</a> · <a href="data:,">data</a></span>'
        " /home/user/lab/results /home/user/.cache"
    )
    assert alone(page, {"/home/user/lab": ".", "/home/user": "~"}) == (
        '<a href="#time">time</a><span><a href="data:text/csv;base64,YQ==">data</a></span>'
        '<span><a href="data:,">data</a></span> ./results ~/.cache'
    )


def test_the_report_in_the_repository_is_small_and_shows_why():
    demo = (ROOT / "docs" / "demo" / "report.html").read_text()
    assert len(demo) < 2_000_000
    assert "One write: baseline to waiting: " in demo
    assert "awaiting in extend_file_size +" in demo
    assert "/root/" not in demo


def test_what_is_said_of_the_report_in_the_repository_is_what_it_says():
    demo = (ROOT / "docs" / "demo" / "report.html").read_text()
    page = re.sub(r"\s+", " ", re.sub("<[^>]+>", "", demo))
    readme = (ROOT / "README.md").read_text()
    [quoted] = re.findall(r"^> (.*?)\.\n\n", readme, re.M | re.S)
    assert quoted.replace("\n> ", " ").replace("`", "") in page
    reading = (ROOT / "docs" / "reading.md").read_text()
    [factor] = re.findall(r"writes (\d+) × slower", quoted)
    assert f"The verdict: slower, {factor} times" in reading
    for figure in re.findall(
        r"\d[\d.]* [mµ]s(?= for one write| of awaiting| on the variant| became|\])", reading
    ):
        assert figure in page
