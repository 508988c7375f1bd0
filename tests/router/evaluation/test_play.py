"""How messages reach the classifier under measurement, and what is written down."""

from __future__ import annotations

import json
from itertools import count
from pathlib import Path

import pytest

from lmos.conversation.events import Candidate, Outcome
from lmos.router.asking import ModelUnavailable
from lmos.router.base import Classification, ClassificationRequest, Roster
from lmos.router.evaluation.data import DataError, Row
from lmos.router.evaluation.play import Prediction, play, prediction_lines
from lmos.router.evaluation.recorded import RecordedClassifier
from lmos.router.hybrid import HybridClassifier
from tests.router.rosters import ACME

pytestmark = pytest.mark.anyio


class Says:
    """Answers each message with the agent that it names, after the word for the outcome."""

    name = "says"

    def __init__(self) -> None:
        self.asked: list[ClassificationRequest] = []
        self.learnt: list[Roster] = []

    async def prepare(self, roster: Roster) -> None:
        self.learnt.append(roster)

    async def classify(self, request: ClassificationRequest) -> Classification:
        assert self.learnt, "a large roster is only sketched until it is prepared"
        self.asked.append(request)
        agent = request.query.split()[-1] if request.query else "billing"
        outcome: Outcome = "ambiguous" if request.query.startswith("maybe") else "match"
        candidates = (Candidate(agent=agent, capability="c", score=0.7), Candidate(agent="support", score=0.2))
        return Classification(outcome, (agent,) if outcome == "match" else (), candidates, 0.7, "says", "So.", 1.25)


def turn(text: str, number: int, previous: str | None = "contract", dialogue: str = "d") -> Row:
    return Row(text, "billing", dialogue=dialogue, turn=number, previous=previous, accept=("billing",))


DIALOGUE = [turn("billing", 0, None), turn("maybe support", 1), turn("contract", 2), turn("billing", 3)]


async def currents(*, self_fed: bool) -> list[str | None]:
    classifier = Says()
    await play(classifier, ACME, DIALOGUE, self_fed=self_fed)
    return [request.current_agent for request in classifier.asked]


async def test_dialogues_are_fed_by_the_labels() -> None:
    assert await currents(self_fed=False) == [None, "contract", "contract", "contract"]


async def test_self_fed_dialogues_are_fed_by_our_own_last_decision() -> None:
    assert await currents(self_fed=True) == [None, "billing", "support", "contract"]


async def test_dialogues_do_not_feed_each_other() -> None:
    classifier = Says()
    rows = [turn("billing", 0, None), turn("support", 0, None, "e"), turn("billing", 1), turn("support", 1, None, "e")]
    await play(classifier, ACME, rows, self_fed=True)
    assert [request.current_agent for request in classifier.asked] == [None, None, "billing", "support"]


async def test_turns_out_of_order_are_told() -> None:
    with pytest.raises(DataError, match="turn 0 of dialogue 'd' comes after turn 1; fix: sort"):
        await play(Says(), ACME, [turn("billing", 1), turn("billing", 0)], self_fed=True)


async def test_of_several_agents_the_best_candidate_is_predicted() -> None:
    candidates = (Candidate(agent="contract", capability="c", score=0.9), Candidate(agent="billing", score=0.8))
    both = Classification("match", ("billing", "contract"), candidates, 0.8, "says", "Two wishes.")

    assert Prediction(turn("my bill, and cancel my contract", 0), both, 1.0).agent == "contract"


async def test_times_are_those_of_each_decision() -> None:
    ticks = count()
    played = await play(Says(), ACME, DIALOGUE, clock=lambda: float(next(ticks)))
    assert played.learning_seconds == 1
    assert {one.milliseconds for one in played.predictions} == {1000}


async def test_a_prediction_has_the_fields_of_its_row_and_the_decision() -> None:
    row = Row("maybe billing", "contract", "view", accept=("contract",), fields={"text": "maybe billing", "lang": "en"})
    played = await play(Says(), ACME, [row], clock=iter([0.0, 0.0, 0.0, 0.002]).__next__)
    (line,) = prediction_lines(played.predictions)
    assert json.loads(line) == {
        "text": "maybe billing",
        "lang": "en",
        "outcome": "ambiguous",
        "predicted_agent": "billing",
        "predicted_capability": "c",
        "probability": 0.7,
        "in_scope": 1.25,
        "candidates": [
            {"agent": "billing", "capability": "c", "score": 0.7},
            {"agent": "support", "capability": None, "score": 0.2},
        ],
        "ms": 2.0,
    }
    assert not played.predictions[0].right


# -- recorded answers -----------------------------------------------------------------------------------------------


class Unsure:
    name = "vector"

    async def prepare(self, roster: Roster) -> None:
        return None

    async def classify(self, request: ClassificationRequest) -> Classification:
        candidates = (Candidate(agent="billing", score=0.5), Candidate(agent="contract", score=0.4))
        return Classification("ambiguous", (), candidates, 0.5, "vector", "Either.", 1.0)


def recording(folder: Path, text: str) -> Path:
    path = folder / "answers.jsonl"
    path.write_text(text)
    return path


async def test_recorded_answers_stand_for_the_model_of_the_hybrid(tmp_path: Path) -> None:
    lines = (
        '{"text": "one", "agent": "contract"}\n{"text": "two", "agent": null}\n{"text": "three", "agent": "support"}\n'
    )
    recorded = RecordedClassifier(recording(tmp_path, lines + '{"text": "four", "agent": "DEFAULT"}\n'))
    hybrid = HybridClassifier(Unsure(), recorded)
    found = [await hybrid.classify(ClassificationRequest(q, ACME)) for q in ("one", "two", "three", "four", "five")]
    assert [one.agents for one in found] == [("contract",), (), ("support",), (), ()]
    assert [one.outcome for one in found] == ["match", "out_of_scope", "match", "out_of_scope", "ambiguous"]
    assert recorded.missing == 1


async def test_a_message_without_a_recorded_answer_has_no_model(tmp_path: Path) -> None:
    recorded = RecordedClassifier(recording(tmp_path, '{"text": "one", "agent": "contract"}'))
    with pytest.raises(ModelUnavailable, match="no recorded answer to 'two'"):
        await recorded.classify(ClassificationRequest("two", ACME))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"text": "one"}', "answers.jsonl:1: no agent"),
        ('{"agent": "a"}', "answers.jsonl:1: no text"),
        ('{"text": "x", "agent": "a"}\n{"text": "x", "agent": "b"}', "answers.jsonl:2: a second answer to 'x'"),
    ],
)
def test_a_recording_of_another_format_is_told(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        RecordedClassifier(recording(tmp_path, text))
