"""Requests as ARC's Kotlin client writes them."""

from __future__ import annotations

from typing import Any

import pytest

from lmos.conversation.errors import InvalidRequest
from lmos.conversation.messages import AnonymizationEntity, BinaryData, KeyValue, Message, User
from lmos.protocols.arc.types import from_wire, to_wire
from tests.protocols.arc.parts import request, wire_request


def test_a_request_carries_every_default() -> None:
    assert to_wire(request(turn_id=None)) == {
        "request": {
            "messages": [
                {"role": "user", "content": "hello", "format": "text", "turnId": None, "binaryData": None},
            ],
            "conversationContext": {"conversationId": "conv-1", "turnId": None, "anonymizationEntities": []},
            "systemContext": [],
            "userContext": {"userId": "user-1", "userToken": None, "profile": []},
        },
        "agentName": None,
    }


def test_the_turn_id_is_forwarded() -> None:
    assert to_wire(request(turn_id="t7"))["request"]["conversationContext"]["turnId"] == "t7"


def test_tenant_and_channel_join_the_system_context_after_the_params() -> None:
    wire = to_wire(request(tenant="acme", channel="web", params=(KeyValue(key="a", value="1"),)))
    assert wire["request"]["systemContext"] == [
        {"key": "a", "value": "1"},
        {"key": "tenantId", "value": "acme"},
        {"key": "channelId", "value": "web"},
    ]


def test_a_param_named_tenant_id_is_not_repeated() -> None:
    wire = to_wire(request(tenant="acme", params=(KeyValue(key="tenantId", value="globex"),)))
    assert wire["request"]["systemContext"] == [{"key": "tenantId", "value": "globex"}]


def test_a_request_survives_the_wire() -> None:
    sent = request(
        tenant="acme",
        channel="web",
        subset="canary",
        messages=(
            Message(role="user", content="hi", turn_id="t0"),
            Message(role="assistant", content="ho", format="markdown"),
            Message(
                role="user", content="see", binary_data=(BinaryData(mime_type="image/png", data_as_base64="AA=="),)
            ),
        ),
        user=User(id="u", token="secret", profile=(KeyValue(key="age", value="40"),)),
        params=(KeyValue(key="tenantId", value="acme"), KeyValue(key="channelId", value="web")),
        anonymization_entities=(AnonymizationEntity(type="name", value="Ann", replacement="#1"),),
    )
    assert from_wire(to_wire(sent)["request"], subset="canary") == sent


@pytest.mark.parametrize(
    ("context_turn", "message_turn", "expected"),
    [
        pytest.param("c", "m", "c", id="of the conversation context"),
        pytest.param(None, "m", "m", id="else of the last message"),
        pytest.param(None, None, "1", id="else the number of messages"),
    ],
)
def test_the_turn_is_named_as_arc_names_it(context_turn: str | None, message_turn: str | None, expected: str) -> None:
    wire = wire_request(conversationContext={"conversationId": "c", "turnId": context_turn})
    wire["messages"][0]["turnId"] = message_turn
    assert from_wire(wire).turn_id == expected


def test_missing_lists_and_members_of_later_arcs_are_accepted() -> None:
    wire: dict[str, Any] = {
        "messages": [{"role": "user", "content": "x", "format": None, "mood": "good"}],
        "conversationContext": {"conversationId": "c", "anonymizationEntities": None},
        "systemContext": None,
        "userContext": {"userId": None},
    }
    read = from_wire(wire)
    assert (read.user.id, read.params, read.messages[0].format) == ("", (), "text")


@pytest.mark.parametrize("role", ["system", "tool", "User", ""])
def test_an_unknown_role_is_refused_by_name(role: str) -> None:
    wire = wire_request()
    wire["messages"][0]["role"] = role
    with pytest.raises(InvalidRequest, match=rf"request.messages.0.role is '{role}'; .*'user' and 'assistant'"):
        from_wire(wire)


def test_a_missing_member_is_named() -> None:
    wire = wire_request(conversationContext={})
    with pytest.raises(InvalidRequest, match=r"request.conversationContext.conversationId: Field required"):
        from_wire(wire)
