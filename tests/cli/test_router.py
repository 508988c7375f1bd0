"""`lmos router`: the router measured and examined on tiny files."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Lmos
from tests.router.rosters import ACME

STATIC = ("--encoder", "static")
TEST = """\
text,agent,capability,split,lang
how high is my last invoice,billing,view-bill,test,en
please cancel my contract,contract,change-contract,test,en
the internet is down again,support,report-fault,test,en
tell me a joke about cats,none,,test,en
"""
AGENTS = [
    {
        "name": agent.name,
        "description": agent.description,
        "capabilities": [{"name": c.name, "description": c.description} for c in agent.capabilities],
    }
    for agent in ACME.agents
]


@pytest.fixture
def data(folder: Path) -> Path:
    """The folder with `data.csv`, whose splits are train and test, and `agents.json`."""
    train = "".join(
        f'"{example}",{agent.name},{capability.name},train,en\n'
        for agent in ACME.agents
        for capability in agent.capabilities
        for example in capability.examples
    )
    (folder / "data.csv").write_text(TEST + train)
    (folder / "agents.json").write_text(json.dumps(AGENTS))
    return folder


def test_a_file_is_divided_by_its_split_and_measured(data: Path, lmos: Lmos) -> None:
    outcome = lmos("router", "eval", "data.csv", "--agents", "agents.json", *STATIC)
    assert outcome.code == 0
    assert outcome.out.splitlines()[0] == "data.csv: learnt from split 'train', measured on split 'test'"
    assert "router vector, encoder static-" in outcome.out
    assert "3 agents, 6 capabilities, 31 examples; 4 messages, 1 of them for nobody" in outcome.out
    assert "right agent                          100.00 % (3 of 3; 95 %: 43.85 to 100.00)" in outcome.out


def test_predictions_are_json_lines_with_the_fields_of_the_row(data: Path, lmos: Lmos) -> None:
    assert lmos("router", "eval", "data.csv", *STATIC, "--predictions", "out.jsonl").code == 0
    first, *_, last = [json.loads(line) for line in (data / "out.jsonl").read_text().splitlines()]
    assert (first["text"], first["agent"], first["lang"]) == ("how high is my last invoice", "billing", "en")
    assert (first["predicted_agent"], first["predicted_capability"]) == ("billing", "view-bill")
    assert set(first) - set(TEST.splitlines()[0].split(",")) == {
        "outcome",
        "predicted_agent",
        "predicted_capability",
        "probability",
        "in_scope",
        "candidates",
        "ms",
    }
    assert (last["agent"], last["outcome"]) == ("none", "out_of_scope")
    assert last["predicted_agent"] in {"billing", "contract", "support"}
    assert last["in_scope"] < 0 < first["in_scope"]


def test_the_report_is_json_or_one_page(data: Path, lmos: Lmos) -> None:
    report = json.loads(lmos("router", "eval", "data.csv", *STATIC, "-o", "json").out)
    assert report["summary"]["rejected"]["percent"] == 100
    page = lmos("router", "eval", "data.csv", *STATIC, "-o", "html").out
    assert page.startswith("<!doctype html>")
    assert "Router evaluation: data.csv" in page


@pytest.mark.parametrize(
    ("limits", "code", "error"),
    [
        (("--fail-under", "99"), 0, ""),
        (("--fail-under", "rejected=99", "--fail-under", "covered=50"), 0, ""),
        (("--fail-under", "capability=60", "--fail-under", "auroc=60"), 0, ""),
        (("--fail-under", "direct=100.5"), 1, "error: --fail-under 'direct=100.5' is no limit"),
        (("--fail-under", "speed=3"), 1, "error: --fail-under 'speed=3' is no limit"),
        (("--fail-under", "high"), 1, "error: --fail-under 'high' is no limit"),
    ],
)
def test_limits_decide_the_exit_code(data: Path, lmos: Lmos, limits: tuple[str, ...], code: int, error: str) -> None:
    outcome = lmos("router", "eval", "data.csv", *STATIC, *limits)
    assert (outcome.code, outcome.err[: len(error)]) == (code, error)


def test_a_figure_below_its_limit_exits_with_2_and_says_which(data: Path, lmos: Lmos) -> None:
    (data / "wrong.csv").write_text("text,agent\nmy internet is down,billing\nhow much is my bill,billing\n")
    train = ("--train", "data.csv", "--train-split", "train")
    outcome = lmos("router", "eval", "wrong.csv", *train, *STATIC, "--fail-under", "90", "--fail-under", "rejected=1")
    assert outcome.code == 2
    assert outcome.err.splitlines() == ["agent: 50.00 % is below 90 %", "rejected: - is below 1 %"]


def test_dialogues_are_played_with_labels_or_with_our_own_decisions(data: Path, lmos: Lmos) -> None:
    said = [
        {"role": "user", "content": "how much is my bill", "agent": "support"},
        {"role": "assistant", "content": "39.99 EUR", "agent": "support"},
    ]
    rows: list[dict[str, object]] = [
        {"text": "how much is my bill", "agent": "billing", "dialogue": "d", "turn": 0, "kind": "first"},
        {"text": "and that?", "agent": "billing", "dialogue": "d", "turn": 1, "kind": "follow", "history": said},
    ]
    (data / "talk.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ("router", "eval", "talk.jsonl", "--train", "data.csv", *STATIC, "-o", "json")
    fed, own = (json.loads(lmos(*words, *more).out) for more in ((), ("--self-fed",)))
    assert (fed["about"]["fed"], fed["summary"]["agent"]["hits"]) == ("dialogues fed by the labels", 1)
    assert (own["about"]["fed"], own["summary"]["agent"]["hits"]) == ("dialogues fed by own decisions", 2)
    assert [group["name"] for group in own["kinds"]] == ["first", "follow"]


def test_recorded_answers_take_the_place_of_the_hybrids_model(data: Path, lmos: Lmos) -> None:
    (data / "unsure.csv").write_text("text,agent\nmy contract bill,contract\nmy bill contract,billing\n")
    (data / "answers.jsonl").write_text('{"text": "my contract bill", "agent": "contract"}\n')
    words = ("router", "eval", "unsure.csv", "--train", "data.csv", *STATIC, "--llm-answers", "answers.jsonl")
    outcome = lmos(*words)
    assert "router hybrid, encoder" in outcome.out
    assert "note: 1 messages had no recorded answer; the router asked back instead" in outcome.out
    assert lmos(*words, "--router", "llm").err.startswith("error: --llm-answers is not for the router 'llm'")


def test_a_router_with_a_model_needs_one_that_answers_in_json(data: Path, lmos: Lmos) -> None:
    outcome = lmos("router", "eval", "data.csv", *STATIC, "--router", "llm")
    assert outcome.code == 1
    assert outcome.err.startswith("error: The router 'llm' needs a language model that answers in JSON")


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("router", "eval", "nothing.csv"), "error: nothing.csv: No such file or directory"),
        (("router", "eval", "agents.json"), "error: agents.json: the name does not say what it holds"),
        (("router", "doctor"), "error: there is no agent to examine"),
        (("router", "doctor", "--tenant", "acme"), "error: a channel is named by two options"),
    ],
)
def test_bad_input_is_one_line_with_its_fix(data: Path, lmos: Lmos, words: tuple[str, ...], error: str) -> None:
    outcome = lmos(*words, *STATIC)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith(error)


def test_the_doctor_examines_a_file(data: Path, lmos: Lmos) -> None:
    outcome = lmos("router", "doctor", "data.csv", "--agents", "agents.json", *STATIC)
    assert outcome.code == 0
    assert outcome.out.startswith("3 agents, 6 capabilities, 31 examples; encoder static-")
    assert "covered (not declined)" in outcome.out


def test_the_doctor_examines_agents_alone_and_is_strict_when_asked(data: Path, lmos: Lmos) -> None:
    outcome = lmos("router", "doctor", "--agents", "agents.json", *STATIC, "--strict", "-o", "json")
    assert outcome.code == 2
    found = json.loads(outcome.out)
    assert found["expected"]["covered"]["percent"] is None
    assert {finding["kind"] for finding in found["findings"]} == {"few-examples"}


def test_the_doctor_examines_a_channel(applied: Lmos) -> None:
    outcome = applied("router", "doctor", "--tenant", "acme", "--channel", "web", *STATIC)
    assert outcome.out.startswith("2 agents, 2 capabilities, 6 examples; encoder static-")
