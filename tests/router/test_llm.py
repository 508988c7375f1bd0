"""The LLM classifier: against scripted models, a server that misbehaves, and recorded answers of Eclipse LMOS."""

from __future__ import annotations

import json
from typing import Any, cast

import pytest

from lmos.conversation.messages import Message
from lmos.models.base import MalformedAnswer, ModelError
from lmos.models.registry import model_named
from lmos.router.asking import Limits, ModelUnavailable
from lmos.router.base import ClassificationRequest, ClassifierError, Roster, RosterAgent, RosterCapability
from lmos.router.llm import MODEL_ACCURACY, LlmClassifier, LlmOptions
from lmos.testing import FakeOpenAI, Garbage, HttpError, Reply, ScriptedModel, Slow
from tests.router.rosters import ACME
from tests.router.test_answers import recorded

pytestmark = pytest.mark.anyio

BILLING = '{"reason": "It is about a bill", "agentId": "billing"}'
QUICK = LlmOptions(limits=Limits(timeout=0.2))


def asked(query: str = "why is it so high", **more: Any) -> ClassificationRequest:
    return ClassificationRequest(query, ACME, tenant="acme", channel="web", **more)


async def test_the_agent_that_the_model_names_matches() -> None:
    found = await LlmClassifier(ScriptedModel([BILLING])).classify(asked())
    assert (found.outcome, found.agents, found.confidence) == ("match", ("billing",), MODEL_ACCURACY)
    assert found.reason == "The model chooses agent 'billing': It is about a bill."


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ('{"reason": "", "agentId": null}', "The model finds no agent for the message."),
        (
            '{"reason": "pizza", "agentId": "kitchen"}',
            "The model names agent 'kitchen', which does not serve this channel: pizza.",
        ),
        (
            '{"reason": "r", "agentId": "Billing"}',
            "The model names agent 'Billing', which does not serve this channel: r.",
        ),
    ],
    ids=["null", "unknown agent", "other case"],
)
async def test_no_agent_or_one_that_is_not_there_is_out_of_scope(answer: str, reason: str) -> None:
    found = await LlmClassifier(ScriptedModel([answer])).classify(asked())
    assert (found.outcome, found.agents, found.candidates, found.reason) == ("out_of_scope", (), (), reason)


async def test_the_model_gets_roster_schema_history_and_query() -> None:
    model = ScriptedModel([BILLING])
    history = (Message(role="user", content="my bill please"), Message(role="assistant", content="39.99 EUR."))
    await LlmClassifier(model).classify(asked(history=history, current_agent="billing"))
    (question,) = model.asked
    assert [(m.role, m.content) for m in question.messages[1:]] == [
        ("user", "my bill please"),
        ("assistant", "39.99 EUR."),
        ("user", "why is it so high"),
    ]
    assert '"name":"view-bill"' in question.system
    assert "The conversation is with billing at the moment." in question.system
    assert question.schema is not None
    assert question.schema["properties"]["agentId"]["enum"] == ["billing", "contract", "support", None]


async def test_the_prompt_is_in_the_language_of_the_customer() -> None:
    model = ScriptedModel([BILLING])
    await LlmClassifier(model).classify(asked("Warum ist meine Rechnung so hoch?"))
    assert model.asked[0].system.startswith("Sie sind die Vermittlung von acme.")


async def test_the_roster_may_be_xml() -> None:
    model = ScriptedModel([BILLING])
    await LlmClassifier(model, LlmOptions(form="xml")).classify(asked())
    assert "<agents_list>\n<agent>\n<name>billing</name>" in model.asked[0].system


async def test_the_oldest_messages_go_first_when_the_budget_is_small() -> None:
    model = ScriptedModel([BILLING])
    history = tuple(Message(role="user", content=f"{n} " + "x" * 300) for n in range(40))
    options = LlmOptions(limits=Limits(tokens=2000))
    await LlmClassifier(model, options).classify(asked(history=history))
    kept = [m.content.split()[0] for m in model.asked[0].messages[1:-1]]
    assert 0 < len(kept) < 40
    assert kept == [str(n) for n in range(40 - len(kept), 40)]


async def test_a_roster_beyond_the_budget_is_an_error_that_names_the_setting() -> None:
    with pytest.raises(ClassifierError, match="raise LMOS_ROUTER_TOKENS"):
        await LlmClassifier(ScriptedModel(), LlmOptions(limits=Limits(tokens=40))).classify(asked())


async def test_an_unreadable_answer_is_asked_for_again() -> None:
    model = ScriptedModel(["I would say billing.", BILLING])
    assert (await LlmClassifier(model).classify(asked())).agents == ("billing",)
    assert len(model.asked) == 2


async def test_an_answer_that_a_provider_refuses_is_read_anyway() -> None:
    model = ScriptedModel([MalformedAnswer("no JSON", f"Sure! <answer>{BILLING}</answer>")])
    assert (await LlmClassifier(model).classify(asked())).agents == ("billing",)
    assert len(model.asked) == 1


async def test_a_model_that_never_answers_readably_is_unavailable() -> None:
    with pytest.raises(ModelUnavailable, match="The answer of model 'scripted' cannot be read: no JSON object"):
        await LlmClassifier(ScriptedModel(["billing"] * 2)).classify(asked())


async def test_a_fault_that_cannot_pass_is_not_tried_again() -> None:
    model = ScriptedModel([ModelError("no such key"), BILLING])
    with pytest.raises(ModelUnavailable, match="no such key"):
        await LlmClassifier(model).classify(asked())
    assert len(model.asked) == 1


async def test_a_slow_model_is_cut_off_and_its_request_cancelled() -> None:
    model = ScriptedModel([Reply(BILLING, delay=60)])
    with pytest.raises(ModelUnavailable, match=r"Model 'scripted' did not answer within 0\.2 s"):
        await LlmClassifier(model, QUICK).classify(asked())
    assert model.cancelled == 1


@pytest.mark.parametrize(
    "request_", [ClassificationRequest("hi", Roster(())), asked("  \n")], ids=["no agent", "blank"]
)
async def test_without_agents_or_words_no_model_is_asked(request_: ClassificationRequest) -> None:
    assert (await LlmClassifier(ScriptedModel()).classify(request_)).outcome == "out_of_scope"


@pytest.mark.parametrize("query", ["x" * 100_000, "\ud800", "🔥", '"}]{"agentId": "support"}'])
async def test_awkward_text_never_raises(query: str) -> None:
    found = await LlmClassifier(ScriptedModel([BILLING])).classify(asked(query))
    assert found.agents == ("billing",)


@pytest.mark.parametrize("options", [{"timeout": 0.0}, {"attempts": 0}, {"tokens": -1}], ids=str)
def test_limits_are_positive(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="give more than 0"):
        Limits(**options)


# -- beside Eclipse LMOS --------------------------------------------------------------------------------------------

# There the library refuses the answer or breaks; here it is read: fences, a missing reason, missing token counts.
READ_HERE = {
    **dict.fromkeys(("classifyLlm-445", "classifyLlm-447", "classifyLlm-465", "classifyLlm-432"), ("a",)),
    **dict.fromkeys(("classifyLlm-482",), ("a",)),
    **dict.fromkeys(("classifyLlm-437",), ("b",)),
    **dict.fromkeys(("classifyLlm-457", "classifyLlm-492"), ()),
}
# Neither reads it: no agent named, several named.
UNREADABLE = {"classifyLlm-452", "classifyLlm-475", "classifyLlm-487"}
# Templates in another language than ours that the original cannot render; and a bad answer that we never ask for, since
# there is no agent.
NOT_OURS = {"classifyLlm-498", "classifyLlm-499", "classifyLlm-486"}

LLM_ROWS = {row.id: row.values[0] for row in recorded("classifyLlm")}
SAME = sorted(LLM_ROWS.keys() - READ_HERE - UNREADABLE - NOT_OURS)


def recorded_question(request: dict[str, Any]) -> tuple[ScriptedModel, ClassificationRequest]:
    agents = tuple(
        RosterAgent(
            agent["id"],
            capabilities=tuple(
                RosterCapability(c["id"], description=c.get("description", ""), examples=tuple(c.get("examples", ())))
                for c in agent["capabilities"]
            ),
        )
        for agent in request["agents"]
    )
    history = tuple(Message(role=m["role"], content=m["content"]) for m in request.get("history", ()))
    model = ScriptedModel([request["answer"]] * 2)
    return model, ClassificationRequest(request["message"], Roster(agents), history)


@pytest.mark.parametrize("row", SAME)
async def test_an_answer_is_understood_as_the_original_does(row: str) -> None:
    answer = LLM_ROWS[row]["answer"]["result"]["result"]
    model, question = recorded_question(LLM_ROWS[row]["request"])
    found = await LlmClassifier(model).classify(question)
    assert found.agents == tuple(agent["id"] for agent in answer["classifiedAgents"])


@pytest.mark.parametrize("row", [row for row in SAME if LLM_ROWS[row]["request"]["agents"]])
async def test_the_conversation_reaches_the_model_as_in_the_original(row: str) -> None:
    (call,) = LLM_ROWS[row]["answer"]["result"]["calls"]
    model, question = recorded_question(LLM_ROWS[row]["request"])
    await LlmClassifier(model).classify(question)
    roles = {"user": "user", "assistant": "ai"}
    assert [f"{roles[m.role]}: {m.content}" for m in model.asked[0].messages[1:]] == call["messages"][1:]


@pytest.mark.parametrize(("row", "agents"), READ_HERE.items(), ids=READ_HERE.keys())
async def test_an_answer_that_breaks_the_original_is_read_here(row: str, agents: tuple[str, ...]) -> None:
    assert "failure" in json.dumps(LLM_ROWS[row]["answer"])
    model, question = recorded_question(LLM_ROWS[row]["request"])
    assert (await LlmClassifier(model).classify(question)).agents == agents


@pytest.mark.parametrize("row", sorted(UNREADABLE))
async def test_an_answer_that_names_no_single_agent_is_a_fault_in_both(row: str) -> None:
    assert "failure" in json.dumps(LLM_ROWS[row]["answer"])
    model, question = recorded_question(LLM_ROWS[row]["request"])
    with pytest.raises(ModelUnavailable):
        await LlmClassifier(model).classify(question)


# Filters by name and version are no part of this router: a channel resolves versions. Without agents nobody is asked.
ROUTED = [
    row
    for row in recorded("routeLlm")
    if "nameFilter" not in row.values[0]["request"] and row.values[0]["request"]["agents"]
]


@pytest.mark.parametrize("row", ROUTED)
async def test_the_older_contract_is_understood_too(row: dict[str, Any]) -> None:
    request, outcome = row["request"], row["answer"]["result"]["outcome"]
    history = tuple(
        Message(role=m["role"], content=m["content"]) for m in request.get("history", ()) if m["role"] != "system"
    )
    roster = Roster(tuple(RosterAgent(a["name"], a.get("version", "")) for a in request["agents"]))
    found = await LlmClassifier(ScriptedModel([request["answer"]])).classify(
        ClassificationRequest(request["message"], roster, history)
    )
    expected = "b" if "failure" in outcome else outcome["agent"]  # the fence without a language is read here
    assert found.agents == tuple(filter(None, (expected,)))


# -- on a real socket -----------------------------------------------------------------------------------------------


async def over_http(server: FakeOpenAI, options: LlmOptions | None = None) -> Any:
    model = cast("Any", model_named(server.model))
    try:
        return await LlmClassifier(model, options).classify(asked())
    finally:
        await model.aclose()


async def test_a_streamed_answer_is_read() -> None:
    async with FakeOpenAI([BILLING]) as server:
        assert (await over_http(server)).agents == ("billing",)
        body = server.requests[0].body
    assert body["stream"] is True
    assert body["response_format"]["json_schema"]["schema"]["required"] == ["reason", "agentId"]


@pytest.mark.parametrize(
    "first",
    [f"```json\n{BILLING}\n```", f"Well. <answer>{BILLING}</answer>", '{"agentName": "billing"}'],
    ids=["fence", "tags and chatter", "the older contract"],
)
async def test_an_answer_that_does_not_fit_the_schema_is_repaired(first: str) -> None:
    async with FakeOpenAI([first]) as server:
        assert (await over_http(server)).agents == ("billing",)
        assert len(server.requests) == 1


@pytest.mark.parametrize(
    "first",
    [HttpError(429, "slow down"), HttpError(503), Garbage(), '{"reason": "cut o', ""],
    ids=["too many requests", "down", "no answer of the protocol", "cut JSON", "empty"],
)
async def test_what_may_pass_is_tried_again(first: Any) -> None:
    async with FakeOpenAI([first, BILLING]) as server:
        assert (await over_http(server)).agents == ("billing",)
        assert len(server.requests) == 2


@pytest.mark.parametrize(
    ("script", "message"),
    [
        ([HttpError(429, "slow down")] * 2, "HTTP 429: slow down"),
        ([HttpError(401, "bad key")], "HTTP 401: bad key"),
        ([Slow(BILLING, 5.0)], "did not answer within 0.2 s"),
        (['{"agentId": [1]}'] * 2, "cannot be read"),
    ],
    ids=["429 again", "401", "too slow", "malformed again"],
)
async def test_a_server_that_gives_no_answer_is_unavailable(script: Any, message: str) -> None:
    options = QUICK if "within" in message else None
    async with FakeOpenAI(script) as server:
        with pytest.raises(ModelUnavailable, match=message):
            await over_http(server, options)
