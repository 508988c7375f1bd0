"""Leader election in virtual time: who leads when, whatever the API server and the process's pauses do."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import looptime
import pytest
from prometheus_client import REGISTRY
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.base import Conflict, NotFound, StoreError
from lmos.operator.kubernetes.errors import Refusal, Terminating
from lmos.operator.kubernetes.lease import LeaseElection, LeaseTimes
from lmos.testing.clock import VirtualClock

pytestmark = pytest.mark.anyio

LATENCY = 0.01
PATH = "/apis/coordination.k8s.io/v1/namespaces/ops/leases/lmos-operator"
Fault = Callable[[str], Awaitable[None]]


@pytest.fixture(scope="module")
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "asyncio", {"loop_factory": looptime.new_event_loop}


class Api:
    """One Lease of an API server. `before` and `after` each request something may happen: a fault, a pause."""

    def __init__(self) -> None:
        self.lease: dict[str, Any] | None = None
        self.requests: list[str] = []
        self.before: Fault | None = None
        self.after: Fault | None = None
        self._version = 0

    async def get(self, path: str) -> dict[str, Any]:
        return await self._answer("get", path, self._read)

    async def create(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._answer("create", f"{path}/{body['metadata']['name']}", lambda: self._store(body, None))

    async def replace(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return await self._answer("replace", path, lambda: self._store(body, body["metadata"]["resourceVersion"]))

    @property
    def spec(self) -> dict[str, Any]:
        assert self.lease is not None
        return self.lease["spec"]

    def edit(self, **spec: Any) -> None:
        """Somebody else writes."""
        assert self.lease is not None
        self._store(self.lease | {"spec": self.spec | spec}, self.lease["metadata"]["resourceVersion"])

    async def _answer(self, verb: str, path: str, work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        assert path == PATH
        self.requests.append(verb)
        await asyncio.sleep(LATENCY)
        if self.before is not None:
            await self.before(verb)
        answer = work()
        if self.after is not None:
            await self.after(verb)
        return copy.deepcopy(answer)

    def _read(self) -> dict[str, Any]:
        if self.lease is None:
            raise NotFound("no such lease")
        return self.lease

    def _store(self, body: Mapping[str, Any], version: str | None) -> dict[str, Any]:
        if version != (None if self.lease is None else self.lease["metadata"]["resourceVersion"]):
            raise Conflict("it has moved on")
        self._version += 1
        metadata = body["metadata"] | {"resourceVersion": str(self._version)}
        self.lease = copy.deepcopy(dict(body) | {"metadata": metadata})
        return self.lease


@pytest.fixture
def api() -> Api:
    return Api()


def candidate(api: Api, identity: str, **times: float) -> LeaseElection:
    return LeaseElection(
        api,
        VirtualClock(),
        name="lmos-operator",
        namespace="ops",
        identity=identity,
        times=LeaseTimes(**times),
        jitter=lambda: 0.5,
    )


@asynccontextmanager
async def killed(election: LeaseElection) -> AsyncGenerator[LeaseElection]:
    """`election`, whose process ends without a word when the context does."""
    await election.__aenter__()
    try:
        yield election
    finally:
        task = election._task  # pyright: ignore[reportPrivateUsage] - nobody else can end it without releasing
        assert task is not None
        task.cancel()
        await asyncio.wait((task,))


def _shown_as_leading() -> float | None:
    return REGISTRY.get_sample_value("leader_election_master_status", {"name": "lmos-operator"})


def _now() -> float:
    return asyncio.get_running_loop().time()


async def _seconds(wait: Awaitable[None]) -> float:
    began = _now()
    await wait
    return _now() - began


async def failing(_verb: str) -> None:
    raise StoreError("connection refused")


async def hanging(_verb: str) -> None:
    await asyncio.Event().wait()


async def test_the_first_candidate_leads_at_once_and_writes_what_client_go_reads(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        assert a.leading
        assert api.lease is not None
        assert (api.lease["apiVersion"], api.lease["kind"]) == ("coordination.k8s.io/v1", "Lease")
        assert api.lease["spec"] == {
            "holderIdentity": "a",
            "leaseDurationSeconds": 15,
            "acquireTime": "2026-11-25T09:00:00.000000Z",
            "renewTime": "2026-11-25T09:00:00.000000Z",
            "leaseTransitions": 0,
        }


async def test_a_leader_renews_with_one_request_every_two_seconds(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        api.requests.clear()
        await asyncio.sleep(60)
        assert a.leading
        assert set(api.requests) == {"replace"}
        assert 30 <= len(api.requests) <= 50


async def test_a_second_candidate_stands_by_and_writes_nothing(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        async with candidate(api, "b") as b:
            await asyncio.sleep(100)
            assert (a.leading, b.leading, b.holder, b.trouble) == (True, False, "a", None)
            assert api.spec["leaseTransitions"] == 0


async def test_a_released_lease_is_taken_over_within_two_seconds(api: Api) -> None:
    async with candidate(api, "b") as b, candidate(api, "a") as a:
        await asyncio.sleep(5)
        leader, follower = (a, b) if a.leading else (b, a)
        await leader.__aexit__(None, None, None)
        assert api.spec["holderIdentity"] == ""
        assert await _seconds(follower.elected()) < 2
        assert (api.spec["holderIdentity"], api.spec["leaseTransitions"]) == (follower.identity, 1)


async def test_a_dead_leader_is_followed_within_twenty_seconds_and_not_before_its_lease_ends(api: Api) -> None:
    async with killed(candidate(api, "a")) as a:
        await a.elected()
        b = candidate(api, "b")
        await b.__aenter__()
        await asyncio.sleep(5)
    async with b:
        assert 15 - 2 < await _seconds(b.elected()) < 20


async def test_the_clock_in_the_record_of_the_holder_is_not_believed(api: Api) -> None:
    async with killed(candidate(api, "a")) as a:
        await a.elected()
    api.edit(renewTime="2020-01-01T00:00:00.000000Z")
    async with candidate(api, "b") as b:
        assert await _seconds(b.elected()) >= 15


async def test_the_holders_own_lease_duration_counts(api: Api) -> None:
    async with killed(candidate(api, "a", lease=40, renew=30)) as a:
        await a.elected()
    async with candidate(api, "b") as b:
        assert 40 <= await _seconds(b.elected()) < 43


async def test_a_leader_that_cannot_renew_leads_no_more_after_the_renew_deadline(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        api.before = failing
        assert 10 - 2 < await _seconds(a.deposed()) <= 10
        assert not a.leading
        assert str(a.trouble) == "connection refused"


async def test_a_leader_shows_so_for_its_term(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        await asyncio.sleep(1)
        assert _shown_as_leading() == 1
        api.before = failing
        await a.deposed()
        assert _shown_as_leading() == 0


async def test_a_namespace_that_goes_is_told_and_not_taken_for_a_race(api: Api) -> None:
    async def going(verb: str) -> None:
        if verb == "create":
            raise Terminating("namespace ops is being terminated", Refusal(403, "terminating"))

    api.before = going
    async with candidate(api, "a") as a:
        await asyncio.sleep(10)
        assert not a.leading
        assert str(a.trouble) == "namespace ops is being terminated"


@pytest.mark.parametrize("fault", [failing, hanging])
async def test_a_deposed_leader_stands_again_when_the_server_answers(api: Api, fault: Fault) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        api.before = fault
        await a.deposed()
        await asyncio.sleep(60)
        assert not a.leading
        api.before = None
        assert await _seconds(a.elected()) < 10
        assert a.trouble is None


async def test_a_hung_request_does_not_keep_the_next_renewal_from_being_tried(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        api.before = hanging
        await asyncio.sleep(4)
        api.before = None
        await asyncio.sleep(60)
        assert a.leading
        assert api.spec["leaseTransitions"] == 0


async def test_a_renewal_whose_answer_was_lost_is_recognised(api: Api) -> None:
    async def lost(verb: str) -> None:
        if verb == "replace":
            api.after = None
            raise StoreError("connection reset")

    async with candidate(api, "a") as a:
        await a.elected()
        term_ended = asyncio.create_task(a.deposed())
        api.after = lost
        await asyncio.sleep(30)
        assert not term_ended.done()
        term_ended.cancel()


async def test_an_acquisition_whose_answer_was_lost_is_recognised(api: Api) -> None:
    async def lost(verb: str) -> None:
        if verb == "create":
            raise StoreError("connection reset")

    api.after = lost
    async with candidate(api, "a") as a:
        assert await _seconds(a.elected()) < 3


async def test_of_many_candidates_at_once_one_leads(api: Api) -> None:
    elections = [candidate(api, f"c{number}") for number in range(10)]
    for election in elections:
        await election.__aenter__()
    for _ in range(200):
        assert sum(election.leading for election in elections) <= 1
        await asyncio.sleep(0.1)
    assert sum(election.leading for election in elections) == 1
    for election in elections:
        await election.__aexit__(None, None, None)


async def test_a_lease_taken_by_another_ends_the_term_at_the_next_renewal(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        with capture_logs() as logs:
            api.edit(holderIdentity="somebody")
            assert await _seconds(a.deposed()) < 2
        assert [line["event"] for line in logs] == [reasons.EVENT_LEASE_TAKEN]
        await asyncio.sleep(10)
        assert not a.leading


async def test_a_lease_that_was_edited_without_a_new_holder_stays(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        ended = asyncio.create_task(a.deposed())
        api.edit(strategy="OldestEmulationVersion")
        await asyncio.sleep(10)
        assert not ended.done()
        assert api.spec["strategy"] == "OldestEmulationVersion"
        ended.cancel()


async def test_a_deleted_lease_is_created_again(api: Api) -> None:
    async with candidate(api, "a") as a:
        await a.elected()
        api.lease = None
        await asyncio.sleep(5)
        assert a.leading
        assert api.spec["holderIdentity"] == "a"


async def test_a_process_that_was_paused_does_not_lead_when_it_wakes_up(api: Api) -> None:
    """The clock has moved on before any of its tasks ran."""
    async with candidate(api, "a") as a:
        await a.elected()
        ended = asyncio.create_task(a.deposed())
        loop = asyncio.get_running_loop()
        at_wakeup: list[bool] = []
        # Everything that is due by now runs in one go afterwards, as after SIGCONT.
        loop.call_soon(_pause, loop, 30.0)
        loop.call_soon(lambda: at_wakeup.append(a.leading))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        assert at_wakeup == [False]
        await ended
        await a.elected()
        assert api.spec["leaseTransitions"] == 0


async def test_a_renewal_that_is_answered_after_the_term_does_not_prolong_it(api: Api) -> None:
    async def paused(verb: str) -> None:
        if verb == "replace":
            api.after = None
            _pause(asyncio.get_running_loop(), 12.0)

    async with candidate(api, "a") as a:
        await a.elected()
        ended = asyncio.create_task(a.deposed())
        api.after = paused
        await asyncio.sleep(2)
        await asyncio.wait_for(ended, 0.5)


def _pause(loop: asyncio.AbstractEventLoop, seconds: float) -> None:
    """Let virtual time pass without running anything, as if the process was stopped."""
    assert isinstance(loop, looptime.LoopTimeEventLoop)
    loop.setup_looptime(start=loop.time() + seconds)
