"""Profiles for clusters name rules that are there and options that Snakemake has, and keep what every call is given."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from snakemake.cli import get_argument_parser

CLUSTERS = ["slurm", "kubernetes"]
MEASURING = {"verify", "time_block", "cost_block", "work_block", "capture"}
HERE = {"latency-wait"}
"""Of the default profile: what a local disk permits."""


def profile(checkout: Path, name: str) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((checkout / f"profiles/{name}/config.yaml").read_text())
    return loaded


@pytest.mark.parametrize("name", CLUSTERS)
def test_its_options_are_snakemakes_or_those_of_its_executor(checkout: Path, name: str) -> None:
    known = {
        option.lstrip("-") for action in get_argument_parser()._actions for option in action.option_strings
    }
    if name == "kubernetes":  # its plugin is not installed for the tests; these are of its version 0.5.1
        known |= {"kubernetes-persistent-volumes", "kubernetes-privileged"}
    assert set(profile(checkout, name)) - known == set()
    assert profile(checkout, name)["executor"] == name


@pytest.mark.parametrize("name", CLUSTERS)
def test_it_keeps_what_every_call_is_given(checkout: Path, name: str) -> None:
    of_cluster, default = profile(checkout, name), profile(checkout, "default")
    assert {key: of_cluster.get(key) for key in default if key not in HERE} == {
        key: value for key, value in default.items() if key not in HERE
    }


@pytest.mark.parametrize("name", CLUSTERS)
def test_every_rule_that_measures_has_a_node_to_itself_and_each_node_a_rig(checkout: Path, name: str) -> None:
    rules = "".join(path.read_text() for path in (checkout / "rules").glob("*.smk"))
    one_rig = {
        rule.split(":", 1)[0] for rule in re.split(r"^rule ", rules, flags=re.M)[1:] if "rig=1" in rule
    }
    assert one_rig == MEASURING
    given = profile(checkout, name)
    whole = given["set-threads" if name == "kubernetes" else "set-resources"]
    assert set(whole) == MEASURING | {"build"}
    assert given["set-resource-scopes"] == {"rig": "local"}
