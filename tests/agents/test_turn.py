"""What a prompt or tool can know of a turn."""

from __future__ import annotations

from lmos import Turn
from lmos.conversation.exchange import AgentRequest
from lmos.conversation.messages import KeyValue, Message, User

REQUEST = AgentRequest(
    conversation_id="c",
    messages=(Message(role="user", content="first"), Message(role="user", content="second")),
    user=User(id="ada", token="t", profile=(KeyValue(key="city", value="Bonn"),)),
    turn_id="7",
    tenant="acme",
    channel="web",
    subset="canary",
    params=(KeyValue(key="lang", value="de"),),
)


def test_a_turn_tells_who_speaks_where_and_what() -> None:
    turn = Turn(REQUEST)
    assert (turn.query, turn.user_id, turn.user_token, turn.profile) == ("second", "ada", "t", {"city": "Bonn"})
    assert (turn.tenant, turn.channel, turn.subset) == ("acme", "web", "canary")
    assert (turn.conversation_id, turn.turn_id, len(turn.messages)) == ("c", "7", 2)


def test_a_parameter_has_a_default() -> None:
    turn = Turn(REQUEST)
    assert (turn.param("lang", "en"), turn.param("other", "en"), turn.param("other")) == ("de", "en", None)


def test_emit_goes_to_who_listens() -> None:
    said: list[str] = []
    Turn(REQUEST, emit=said.append).emit("One moment")
    Turn(REQUEST).emit("Nobody listens")
    assert said == ["One moment"]
