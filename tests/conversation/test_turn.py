"""Which two posts are the same turn, and what of a transcript is the query."""

from __future__ import annotations

from typing import Any

import pytest

from lmos.conversation.messages import AnonymizationEntity, KeyValue, Message, User, last_user_text
from lmos.conversation.turn import TurnRequest

REQUEST = TurnRequest(
    tenant="acme",
    channel="web",
    conversation_id="c-1",
    turn_id="t-1",
    user=User(id="ada", token="secret"),
    messages=(Message(role="user", content="Hi"),),
)


def changed(**members: Any) -> TurnRequest:
    return REQUEST.model_copy(update=members)


@pytest.mark.parametrize(
    "other",
    [
        changed(),
        changed(user=User(id="ada", token="fresh")),
        changed(user=User(id="ada")),
        TurnRequest.model_validate_json(REQUEST.model_dump_json(by_alias=True)),
    ],
    ids=["equal", "fresh token", "no token", "read from JSON"],
)
def test_a_retry_has_the_fingerprint_of_the_first_post(other: TurnRequest) -> None:
    assert other.fingerprint() == REQUEST.fingerprint()


@pytest.mark.parametrize(
    "other",
    [
        changed(tenant="globex"),
        changed(channel="ivr"),
        changed(subset="canary"),
        changed(user=User(id="bob", token="secret")),
        changed(user=User(id="ada", token="secret", profile=(KeyValue(key="k", value="v"),))),
        changed(messages=(Message(role="user", content="Hi!"),)),
        changed(params=(KeyValue(key="k", value="v"),)),
        changed(explicit_agent="billing"),
        changed(anonymization_entities=(AnonymizationEntity(type="t", value="v", replacement="r"),)),
    ],
    ids=["tenant", "channel", "subset", "user", "profile", "message", "params", "agent", "entities"],
)
def test_another_body_has_another_fingerprint(other: TurnRequest) -> None:
    assert other.fingerprint() != REQUEST.fingerprint()


@pytest.mark.parametrize(
    ("said", "query"),
    [
        ([], ""),
        ([("assistant", "Hello")], ""),
        ([("user", "first"), ("assistant", "Hello"), ("user", "second")], "second"),
        ([("user", "first"), ("assistant", "Hello")], "first"),
    ],
    ids=["nothing", "only the assistant", "the newest", "before the answer"],
)
def test_the_query_is_the_newest_text_of_the_user(said: list[tuple[Any, str]], query: str) -> None:
    assert last_user_text(tuple(Message(role=role, content=content) for role, content in said)) == query
