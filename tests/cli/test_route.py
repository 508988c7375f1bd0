"""`lmos route`: the router's decision on the stored ChannelRouting."""

from __future__ import annotations

import json

import yaml

from tests.cli.conftest import Lmos

CHANNEL = ("--tenant", "acme", "--channel", "web")


def test_a_query_goes_to_the_agent_whose_example_it_is(applied: Lmos) -> None:
    outcome = applied("route", "Show me the invoice of March", *CHANNEL)
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "match billing"
    header, best, *_ = outcome.out.split("\n\n")[1].splitlines()
    assert header.split() == ["AGENT", "CAPABILITY", "SCORE", "MATCHED", "EXAMPLES"]
    assert best.split()[:2] == ["billing", "view-bill"]
    assert "'Show me the invoice of March'" in best


def test_a_query_that_nobody_answers_is_out_of_scope(applied: Lmos) -> None:
    outcome = applied("route", "Recommend a pizza recipe", *CHANNEL)
    assert (outcome.code, outcome.out.splitlines()[0]) == (0, "out_of_scope")


def test_machines_read_the_decision_as_json_or_yaml(applied: Lmos) -> None:
    words = ("route", "When does my contract end?", *CHANNEL, "-o")
    decision = json.loads(applied(*words, "json").out)
    assert (decision["outcome"], decision["agents"]) == ("match", ["contract"])
    assert decision["channelRouting"] == "default/acme-web"
    assert decision["candidates"][0]["agent"] == "contract"
    assert yaml.safe_load(applied(*words, "yaml").out) == decision


def test_an_agent_named_explicitly_is_taken(applied: Lmos) -> None:
    outcome = applied("route", "Hello", *CHANNEL, "--explicit-agent", "contract")
    assert outcome.out.splitlines()[0] == "match contract"


def test_an_unknown_explicit_agent_is_an_error(applied: Lmos) -> None:
    outcome = applied("route", "Hello", *CHANNEL, "--explicit-agent", "nope")
    assert (outcome.code, outcome.out) == (1, "")
    assert "'nope'" in outcome.err


def test_an_unknown_channel_names_those_that_exist(applied: Lmos) -> None:
    outcome = applied("route", "Hello", "--tenant", "acme", "--channel", "sms")
    assert outcome.code == 1
    assert "acme/web (stable)" in outcome.err


def test_an_empty_data_folder_says_what_to_do(lmos: Lmos) -> None:
    outcome = lmos("route", "Hello", *CHANNEL)
    assert outcome.code == 1
    assert "apply a Channel first" in outcome.err
