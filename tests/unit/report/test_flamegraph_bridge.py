"""The bridge between a page and inferno's flamegraphs is held against the inferno that is installed and pinned."""

import re
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest

from fuselab.programs import tool

REPOSITORY = Path(__file__).parents[3]
BRIDGE = (files("fuselab.report") / "templates" / "flamegraph_bridge.js").read_text()
RELIED_ON = {
    # what the bridge says -> what the SVG must hold for it
    "begin = init": 'onload="init(evt)"',
    "window.init": "function init(evt) {",
    "later(when_wide, 0, then)": "setTimeout(function() {",
    "addEventListener('resize'": "window.addEventListener('resize', function() {",
    "root.width.baseVal": "svg.width.baseVal.value",
    "root.removeAttribute('width')": '<svg version="1.1" width="',
    "history.replaceState": "history.replaceState(null, null, parse_params(params));",
    "window.search_prompt": "function search_prompt() {",
    "search(asked.search)": "function search(term) {",
    "reset_search()": "function reset_search() {",
    "unzoom()": "function unzoom() {",
    "zoom(found.reduce": "function zoom(node) {",
    "matchedtxt.classList": "matchedtxt",
    "details.nodeValue": 'details = document.getElementById("details").firstChild;',
    "frames.querySelectorAll('rect": 'frames = document.getElementById("frames");',
    "searchcolor": "var searchcolor = '",
    "if (searching)": "searching = 0;",
    "getAttribute('fg:w')": 'fg:w="',
    "#background stop": '<linearGradient id="background"',
    "> #title": 'id="title"',
    "> #details": 'id="details"',
    "> #unzoom": 'id="unzoom"',
    "> #matched": 'id="matched"',
    "#search {": 'id="search"',
    "#frames rect": 'id="frames"',
}


@pytest.fixture(scope="module")
def drawn() -> str:
    """What the installed inferno draws."""
    done = subprocess.run(
        [tool("inferno-flamegraph")], input="a;b 3\na;c 5\n", capture_output=True, text=True, check=True
    )
    return done.stdout


@pytest.mark.parametrize(("used", "needed"), RELIED_ON.items())
def test_inferno_still_has_what_the_bridge_relies_on(drawn: str, used: str, needed: str):
    assert used in BRIDGE
    assert needed in drawn


def test_all_that_the_bridge_takes_for_inferno_s_is_listed(drawn: str):
    theirs = set(re.findall(r"^function (\w+)", drawn, re.MULTILINE))
    called = set(re.findall(r"(?<![.\w])(\w+)\(", BRIDGE)) - set(re.findall(r"var (\w+) =", BRIDGE))
    assert called & theirs <= {name for used in RELIED_ON for name in re.findall(r"\w+", used)}


def test_the_bridge_names_the_version_of_inferno_that_is_pinned():
    pinned = re.search(r"^inferno (\S+)", (REPOSITORY / "envs/cargo-tools.txt").read_text(), re.MULTILINE)
    named = re.search(r"inferno (\d[\d.]*\d)", BRIDGE)
    assert pinned is not None
    assert named is not None
    assert named[1] == pinned[1]
