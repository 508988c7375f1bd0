"""What the client sends again, when, and what it makes of answers. Time is virtual."""

from __future__ import annotations

import asyncio
from typing import Any

import looptime
import orjson
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.base import NotFound, StoreError
from lmos.operator.election import NotLeading
from lmos.operator.kubernetes.client import Client
from lmos.operator.kubernetes.errors import AlreadyExists, Invalid, Stale, Unavailable
from lmos.operator.kubernetes.transport import Answer, TooSlow, TransportError, Unreachable
from tests.operator.kubernetes.scripted import Lines, Script, status

pytestmark = pytest.mark.anyio

PATH = "/api/v1/namespaces/default/things"
OK = Answer(200, b'{"metadata":{}}')
BUSY = status(429, "too many requests", headers={"retry-after": "1"})
BROKEN = TransportError("the connection broke")


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


def client(script: Script) -> Client:
    return Client(script, jitter=lambda: 0.0)


@pytest.mark.parametrize("code", [500, 502, 503, 504])
async def test_a_server_that_recovers_is_asked_again_with_growing_pauses(code: int) -> None:
    script = Script(status(code), status(code), status(code), OK)
    assert await client(script).get(PATH) == {"metadata": {}}
    assert script.pauses == [0.25, 0.5, 1.0]


async def test_jitter_lengthens_the_pauses() -> None:
    script = Script(status(503), OK)
    await Client(script, jitter=lambda: 0.6).get(PATH)
    assert script.pauses == [0.4]


async def test_a_server_that_stays_down_is_an_error_after_five_attempts() -> None:
    script = Script(*[status(503, "no endpoints")] * 5)
    with pytest.raises(
        Unavailable, match=r"GET .*things: the API server answers 503 \(no endpoints\); try again later"
    ):
        await client(script).get(PATH)
    assert script.done


async def test_retry_after_is_waited_for() -> None:
    script = Script(status(429, headers={"retry-after": "7"}), OK)
    await client(script).get(PATH)
    assert script.pauses == [7.0]


async def test_the_wait_that_a_status_asks_for_is_honoured_too() -> None:
    script = Script(status(500, retryAfterSeconds=3), OK)
    await client(script).get(PATH)
    assert script.pauses == [3.0]


async def test_a_shorter_retry_after_does_not_shorten_the_pauses() -> None:
    script = Script(*[BUSY] * 4, OK)
    await client(script).get(PATH)
    assert script.pauses == [1.0, 1.0, 1.0, 2.0]


async def test_a_wait_that_is_too_long_is_an_error_at_once() -> None:
    script = Script(status(429, headers={"retry-after": "600"}))
    with pytest.raises(Unavailable, match="too busy"):
        await client(script).get(PATH)


@pytest.mark.parametrize("header", ["soon", "-1", "", "Wed, 25 Nov 2026 05:00:00 GMT"])
async def test_a_retry_after_that_is_no_number_of_seconds_is_passed_over(header: str) -> None:
    script = Script(status(503, headers={"retry-after": header}), OK)
    await client(script).get(PATH)
    assert script.pauses == [0.25]


async def test_a_create_is_sent_again_when_the_server_was_too_busy_to_take_it() -> None:
    script = Script(BUSY, Answer(201, b"{}"))
    await client(script).create(PATH, {})
    assert [asked.method for asked in script.asked] == ["POST", "POST"]


@pytest.mark.parametrize(
    "fault", [status(500), status(503), BROKEN, Unreachable("refused")], ids=["500", "503", "broken", "unreachable"]
)
async def test_a_create_that_may_have_taken_effect_is_not_sent_again(fault: Answer | Exception) -> None:
    script = Script(fault)
    with pytest.raises(StoreError):
        await client(script).create(PATH, {})


async def test_a_connection_that_breaks_is_made_anew_at_once() -> None:
    script = Script(BROKEN, OK)
    await client(script).merge(PATH, {}, field_manager="m")
    assert script.pauses == [0.0]


async def test_a_connection_that_breaks_twice_is_an_error() -> None:
    script = Script(BROKEN, BROKEN)
    with pytest.raises(TransportError, match="broke"):
        await client(script).get(PATH)


async def test_a_server_that_is_not_there_is_not_asked_again() -> None:
    script = Script(Unreachable("refused"))
    with pytest.raises(Unreachable):
        await client(script).get(PATH)


async def test_an_answer_that_breaks_off_is_asked_for_again() -> None:
    script = Script(Answer(200, b'{"metadata":{"na'), OK)
    assert await client(script).get(PATH) == {"metadata": {}}


async def test_a_request_that_takes_too_long_is_an_error_and_not_sent_again() -> None:
    script = Script(31.0, OK)
    with pytest.raises(TooSlow, match="no answer within 30 s"):
        await client(script).get(PATH)
    assert len(script.asked) == 1


async def test_the_time_that_a_request_may_take_can_be_shorter() -> None:
    with pytest.raises(TooSlow, match="within 5 s"):
        await client(Script(6.0, OK)).replace(PATH, {}, seconds=5.0)


async def test_an_object_that_does_not_fit_the_schema_is_not_sent_again() -> None:
    refused = status(500, "failed to create typed patch object (/a): .spec.x: field not declared in schema")
    with pytest.raises(Invalid, match=r"field not declared.*lmos crds \| kubectl apply"):
        await client(Script(refused)).apply(PATH, {}, field_manager="m")


@pytest.mark.parametrize(
    ("refused", "kind"),
    [
        (status(409, "modified", "Conflict"), Stale),
        (status(409, "exists", "AlreadyExists"), AlreadyExists),
        (status(404, "not found", "NotFound"), NotFound),
        (status(422, "wrong", "Invalid"), Invalid),
    ],
)
async def test_a_refusal_is_an_error_at_once(refused: Answer, kind: type[StoreError]) -> None:
    with pytest.raises(kind):
        await client(Script(refused)).get(PATH)


async def test_an_apply_names_its_manager_and_takes_fields_over_only_by_force() -> None:
    script = Script(OK, OK)
    await client(script).apply(PATH, {"a": 1}, field_manager="m")
    await client(script).apply(PATH, {"a": 1}, field_manager="m", force=False)
    first, second = script.asked
    assert (first.method, first.content_type, first.body) == ("PATCH", "application/apply-patch+yaml", {"a": 1})
    assert first.query == {"fieldManager": "m", "force": "true", "fieldValidation": "Ignore"}
    assert second.query == {"fieldManager": "m", "force": "false", "fieldValidation": "Ignore"}


async def test_a_delete_may_be_bound_to_one_object() -> None:
    script = Script(OK, OK)
    await client(script).delete(PATH, uid="u1")
    await client(script).delete(PATH)
    assert script.asked[0].body["preconditions"] == {"uid": "u1"}
    assert script.asked[0].body["propagationPolicy"] == "Background"
    assert "preconditions" not in script.asked[1].body


async def test_warnings_of_the_server_are_logged_once() -> None:
    warned = Answer(200, b"{}", {"warning": '299 - "v1 is \\"old\\"", 299 - "use v2"'})
    talking = client(Script(warned, warned))
    with capture_logs() as logs:
        await talking.get(PATH)
        await talking.get(PATH)
    told = [(line["event"], line["warning"]) for line in logs]
    assert told == [(reasons.EVENT_SERVER_WARNS, 'v1 is "old"'), (reasons.EVENT_SERVER_WARNS, "use v2")]


async def test_whoever_wants_the_warnings_gets_each_of_them() -> None:
    warned, told = Answer(200, b"{}", {"warning": '299 - "old"'}), list[str]()
    talking = Client(Script(warned, warned), on_warning=told.append)
    await talking.get(PATH)
    await talking.get(PATH)
    assert told == ["old", "old"]


async def test_a_stream_is_opened_again_while_the_server_is_busy() -> None:
    script = Script(BUSY, Lines([b"{}"]))
    async with client(script).stream(PATH, query={"watch": "true"}) as lines:
        assert [line async for line in lines] == [b"{}"]
    assert script.pauses == [1.0]
    assert script.left == 2


async def test_a_refusal_of_a_stream_is_an_error() -> None:
    with pytest.raises(NotFound, match="no such thing"):
        async with client(Script(status(404, "no such thing", "NotFound"))).stream(PATH, query={}):
            pass


async def test_a_stream_whose_header_does_not_come_is_an_error() -> None:
    with pytest.raises(TooSlow):
        async with client(Script(31.0, Lines())).stream(PATH, query={}):
            pass


async def test_what_breaks_in_a_stream_reaches_the_reader_once() -> None:
    script = Script(Lines([b"1", BROKEN]))
    with pytest.raises(TransportError, match="broke"):
        async with client(script).stream(PATH, query={}) as lines:
            assert [line async for line in lines] == [b"1"]
    assert script.left == 1


async def test_requests_are_counted_by_code_and_method() -> None:
    def counted(code: str) -> float:
        return REGISTRY.get_sample_value("rest_client_requests_total", {"code": code, "method": "GET"}) or 0.0

    before = {code: counted(code) for code in ("200", "503", "<error>")}
    talking = client(Script(status(503), OK, Unreachable("refused")))
    await talking.get(PATH)
    with pytest.raises(Unreachable):
        await talking.get(PATH)
    assert {code: counted(code) - count for code, count in before.items()} == {"200": 1, "503": 1, "<error>": 1}


async def test_bodies_are_sent_as_json() -> None:
    script = Script(OK)
    await client(script).replace(PATH, {"spec": {"name": "Grüße"}})
    assert script.asked[0].body == orjson.loads('{"spec": {"name": "Grüße"}}')


@pytest.mark.parametrize("value", ["\ud800", 2**70], ids=["lone surrogate", "too large"])
async def test_what_json_cannot_say_is_not_sent(value: str | int) -> None:
    with pytest.raises(StoreError, match=r"things: what is to be written is no JSON: .*; correct it"):
        await client(Script()).apply(PATH, {"spec": value}, field_manager="m")


async def test_a_guard_is_asked_before_each_attempt_to_change_something() -> None:
    allowed = True

    def guard() -> None:
        if not allowed:
            raise NotLeading("somebody else leads")

    script = Script(OK, BUSY, OK)
    guarded = client(script).guarded(guard)
    await guarded.replace(PATH, {})
    writing = asyncio.create_task(guarded.replace(PATH, {}))
    await asyncio.sleep(0.5)
    allowed = False
    with pytest.raises(NotLeading):
        await writing
    await guarded.get(PATH)
    assert script.done
    assert [asked.method for asked in script.asked] == ["PUT", "PUT", "GET"]


async def test_a_guarded_client_leaves_the_other_as_it_is() -> None:
    def guard() -> None:
        raise NotLeading("somebody else leads")

    script = Script(OK)
    free = client(script)
    with pytest.raises(NotLeading):
        await free.guarded(guard).create(PATH, {})
    await free.create(PATH, {})
    assert script.done
