"""The Agent controller: gives every Agent a status, and makes Agents of workloads that say they are some.

The manager feeds it. A key is the name of an Agent, and equally of the Deployment or Argo Rollout of that name. For a
workload the Agent is written whole, and goes with it. Of an Agent that people wrote nothing is written but the status,
also when its endpoint is asked what it can do (`spec.discover`): what it said is part of the status, and `Agent.offer`
joins the two. Nothing is asked, and nothing written, while nothing has changed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from lmos.clock import Clock
from lmos.operator import reasons
from lmos.operator.agent_status import Knowledge, agent_status, ready_of
from lmos.operator.base import Conflict, NotFound, Store
from lmos.operator.cache import Name
from lmos.operator.controller import Requeue
from lmos.operator.discovery.base import Documents, Finding, Target, Undiscovered, base_of, places
from lmos.operator.discovery.documents import Told
from lmos.operator.discovery.inquiry import Answer, Inquirer
from lmos.operator.discovery.services import address_of
from lmos.operator.ownership import (
    absent_labels,
    agent_of,
    controller_of,
    is_adoptable,
    is_as_wanted,
    is_managed,
    is_of,
    taken,
)
from lmos.operator.recorder import Recorder
from lmos.operator.views import Views
from lmos.operator.workloads import Workload
from lmos.resources.agent import Agent, AgentSource, AgentSpec, AgentStatus, Endpoint
from lmos.resources.base import Resource
from lmos.resources.validation import validate
from lmos.telemetry.logs import logger

__all__ = ["AgentReconciler", "Changed", "Watched"]

Changed = Callable[[Agent | None, Agent | None], None]
"""Told the old and the new state of an Agent that the controller has written."""

Watched = Callable[[str], bool]
"""Whether all workloads of a kind are known, so that one that is not there does not exist."""


class AgentReconciler:
    """`reconcile(name)` brings one Agent up to date. Raises `StoreError` when a write fails."""

    def __init__(
        self,
        store: Store,
        clock: Clock,
        views: Views,
        recorder: Recorder,
        *,
        documents: Documents | None,
        watched: Watched,
        changed: Changed,
    ) -> None:
        self._store = store
        self._clock = clock
        self._views = views
        self._recorder = recorder
        self._inquirer = Inquirer(documents)
        self._watched = watched
        self._changed = changed
        self._generations: dict[Name, int | None] = {}
        """Those of the specs that were written here."""
        self._refused: dict[Name, frozenset[str]] = {}
        """Uids of workloads that were told that their name is taken."""

    async def reconcile(self, name: Name) -> Requeue | None:
        agent = self._views.agents.get(name)
        if agent is not None and agent.metadata.deletion_timestamp is not None:
            return None
        if agent is not None and self._is_left_over(agent):
            await self._store.delete(Agent.KIND, *name)
            logger("operator").info(reasons.EVENT_AGENT_REMOVED, namespace=name[0], agent=name[1])
            return None
        workload = self._workload_of(name, agent)
        if workload is not None:
            return await self._reconcile_workload(name, workload, agent)
        self._generations.pop(name, None)
        if agent is not None:
            return await self._reconcile_declared(name, agent)
        self._inquirer.forget(name)
        return None

    def _is_left_over(self, agent: Agent) -> bool:
        """Whether it was made for a workload that is gone, or no longer says that it is an agent."""
        owner = controller_of(agent)
        if owner is None or not is_managed(agent) or not self._watched(owner.kind):
            return False
        return not any(is_of(owner, found) for found in self._views.workloads((agent.metadata.namespace, owner.name)))

    def _workload_of(self, name: Name, agent: Agent | None) -> Workload | None:
        """The workload that the Agent of this name belongs to, or shall; others of the name learn that it is taken."""
        workloads = self._views.workloads(name)
        owner = controller_of(agent) if agent is not None else None
        if owner is not None:
            chosen = next((workload for workload in workloads if is_of(owner, workload)), None)
        else:
            chosen = next(iter(workloads), None) if agent is None or is_adoptable(agent) else None
        refused = {str(workload.metadata.uid): workload for workload in workloads if workload is not chosen}
        known = self._refused.pop(name, frozenset())
        for uid, workload in refused.items():
            if uid not in known:
                self._recorder.record(workload, "Warning", reasons.NAME_TAKEN, reasons.ACTION_DISCOVER, taken(workload))
        if refused:
            self._refused[name] = frozenset(refused)
        return chosen

    # Agents of workloads

    async def _reconcile_workload(self, name: Name, workload: Workload, agent: Agent | None) -> Requeue | None:
        if workload.metadata.deletion_timestamp is not None:
            return None  # the Agent goes with it
        kept = _kept(agent) if agent is not None and _describes_spec(agent) else None
        if self._was_written_over(name, agent) and (pause := self._inquirer.repair(name)) > 0:
            return Requeue(pause)
        spec, source = (AgentSpec(), None) if agent is None else (agent.spec, (agent.status or AgentStatus()).source)
        target: Target | None = None
        try:
            base, target = self._target_of(workload)
            told = Told.in_annotations(workload.metadata.annotations)
            answer = await self._inquirer.ask(name, target, told, kept, unready=_unready(workload))
            if answer is not None:
                spec, source = _spec_of(workload, base, answer), target.source(answer.place)
            finding = _read(source)
        except Undiscovered as fault:
            finding = fault.finding
        written = await self._write_agent(name, workload, agent, spec)
        await self._write_status(written, Knowledge(source, finding=finding, unavailable=workload.unavailable()))
        return self._again(name, target)

    def _was_written_over(self, name: Name, agent: Agent | None) -> bool:
        """Whether somebody else has changed the spec since its status was written."""
        if agent is None or agent.status is None or _describes_spec(agent):
            return False
        return agent.metadata.generation != self._generations.get(name)

    def _target_of(self, workload: Workload) -> tuple[str, Target]:
        """The base url of the agent, and what to ask there. Raises `Undiscovered`."""
        if workload.spec.template is None:
            raise Undiscovered(
                reasons.WORKLOAD_UNSUPPORTED,
                f"{workload.title} has no spec.template, so the Service in front of its pods cannot be found; give it "
                "one, or declare an Agent with an endpoint and spec.discover",
            )
        base = address_of(workload, self._views.services_of(workload))
        return base, Target(places(base, ("arc", "a2a")), workload.revision, workload.digest)

    async def _write_agent(self, name: Name, workload: Workload, agent: Agent | None, spec: AgentSpec) -> Agent:
        """The Agent of `workload` with `spec`, written when it is new or anything of it differs."""
        wanted = agent_of(workload, spec)
        if agent is not None:
            if is_as_wanted(agent, wanted):
                return agent
            if controller_of(agent) is None:
                await self._check_alive(workload)
            # Conditional: what is overwritten is what was seen.
            seen = agent.metadata
            wanted = wanted.with_meta(uid=seen.uid, resource_version=seen.resource_version)
        # By force only what was seen: an Agent that people create at this moment stays theirs.
        stored = await self._store.apply(
            wanted, field_manager=reasons.FIELD_MANAGER, force=agent is not None, without=absent_labels(wanted)
        )
        self._generations[name] = stored.metadata.generation
        return self._record(agent, stored)

    async def _check_alive(self, workload: Workload) -> None:
        """Before it adopts what is there: a workload that is gone would take the Agent with it."""
        meta = workload.metadata
        found = await self._store.get(workload.KIND, meta.namespace, meta.name)
        if found is None or found.metadata.uid != meta.uid or found.metadata.deletion_timestamp is not None:
            raise Conflict(f"{workload.title} is gone or was created again; its Agent waits until that is known here")

    # Agents that people wrote

    async def _reconcile_declared(self, name: Name, agent: Agent) -> Requeue | None:
        target, knowledge = None, Knowledge()
        if agent.spec.discover and not any(problem.level == "error" for problem in validate(agent)):
            target, knowledge = await self._discover(name, agent)
        else:
            self._inquirer.forget(name)
            if workloads := self._views.workloads(name):
                knowledge = Knowledge(finding=Finding(reasons.NAME_TAKEN, taken(workloads[0])))
        await self._write_status(agent, knowledge)
        return self._again(name, target)

    async def _discover(self, name: Name, agent: Agent) -> tuple[Target, Knowledge]:
        """What the Agent's endpoint says that it can do, or said when it was asked last."""
        endpoint, status = agent.spec.endpoint or Endpoint(), agent.status or AgentStatus()
        # Tenants and channels of such an Agent stand in its spec.
        told = Told(version=Told.in_annotations(agent.metadata.annotations).version)
        target = Target(places(base_of(endpoint), (endpoint.protocol,)), digest=told.digest)
        knowledge = Knowledge(status.source, status.discovered)
        try:
            answer = await self._inquirer.ask(name, target, told, _kept(agent) if status.discovered else None)
            if answer is not None:
                knowledge = Knowledge(target.source(answer.place), answer.offer)
            return target, replace(knowledge, finding=_read(knowledge.source))
        except Undiscovered as fault:
            return target, replace(knowledge, finding=fault.finding)

    # Both

    def _again(self, name: Name, target: Target | None) -> Requeue | None:
        """When to come back although nothing changes; never because of what the operator would be told of anyway."""
        pause = self._inquirer.pause(name, target) if target is not None else 0.0
        return Requeue(pause) if pause > 0 else None

    async def _write_status(self, agent: Agent, knowledge: Knowledge) -> None:
        status = agent_status(agent, knowledge, self._clock.now())
        if agent.status == status:
            return
        # Conditional on the version that was read, as the statuses of Channels are.
        changed = agent.model_copy(update={"status": status})
        try:
            stored = await self._store.update_status(changed, field_manager=reasons.STATUS_FIELD_MANAGER)
        except NotFound:
            return
        self._record(agent, stored)
        self._tell(agent, status)

    def _record(self, old: Agent | None, stored: Resource) -> Agent:
        """Take over the answer of a write, and wake who depends on the Agent: the watch will tell nothing new."""
        if not isinstance(stored, Agent):
            raise TypeError(f"the store answered the write of an Agent with {stored.key}")
        self._views.agents.record(stored)
        self._changed(old, stored)
        return stored

    def _tell(self, agent: Agent, status: AgentStatus) -> None:
        """An event when `Ready` turned, or its reason or message changed; none of declared Agents that are well."""
        before, now = ready_of(agent.status), ready_of(status)
        if now is None or (
            before is not None
            and (now.status, now.reason, now.message) == (before.status, before.reason, before.message)
        ):
            return
        if now.reason == reasons.DECLARED and (before is None or before.status == "True"):
            return
        kind = "Warning" if now.status == "False" else "Normal"
        self._recorder.record(agent, kind, now.reason, reasons.ACTION_DISCOVER, now.message)


def _kept(agent: Agent) -> AgentSource | None:
    """The source of what is kept of the agent's last answer, unless it was asked again since, in vain."""
    status = agent.status or AgentStatus()
    good = any(condition.type == reasons.DISCOVERED and condition.status == "True" for condition in status.conditions)
    return status.source if good else None


def _describes_spec(agent: Agent) -> bool:
    return agent.status is not None and agent.status.observed_generation == agent.metadata.generation


def _unready(workload: Workload) -> Finding | None:
    if workload.spec.replicas == 0 and (why := workload.unavailable()) is not None:
        return Finding(reasons.WORKLOAD_UNAVAILABLE, why)
    return None if (why := workload.unready()) is None else Finding(reasons.WORKLOAD_NOT_READY, why)


def _spec_of(workload: Workload, base: str, answer: Answer) -> AgentSpec:
    """What the agent said, under the workload's name as in Eclipse LMOS, at the address where it was asked."""
    offered = answer.offer.model_copy(update={"id": workload.metadata.name})
    return AgentSpec(**dict(offered), endpoint=Endpoint(url=base, protocol=answer.place.protocol))


def _read(source: AgentSource | None) -> Finding:
    if source is None:
        raise AssertionError("an answer that is kept has a source")
    revision = f", revision {source.revision}" if source.revision is not None else ""
    return Finding(reasons.DOCUMENT_READ, f"read {source.url}{revision}")
