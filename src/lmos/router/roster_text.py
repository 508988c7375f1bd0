"""A roster as text for a prompt: JSON or XML with the element names of Eclipse LMOS, cut to a budget of tokens. Pure.

Unlike the original, XML is escaped: what an agent's author wrote must not be able to end the list.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final, Literal
from xml.sax.saxutils import escape

from lmos.router.base import ClassifierError, Roster, RosterAgent, RosterCapability

__all__ = ["RosterFormat", "fit_roster", "roster_json", "roster_xml", "tokens"]

RosterFormat = Literal["json", "xml"]

_BYTES_PER_TOKEN: Final = 3


@dataclass(frozen=True, slots=True)
class _Detail:
    """How much of each agent is told: examples of a capability, characters of a description."""

    examples: int
    description: int


_DETAILS: Final = (
    _Detail(3, 2000),
    _Detail(1, 1000),
    _Detail(0, 500),
    _Detail(0, 160),
    _Detail(0, 60),
    _Detail(0, 0),
)


def tokens(text: str) -> int:
    """How many tokens `text` takes at most, without knowing the model's tokenizer: one for three bytes of UTF-8."""
    return -(-len(text.encode("utf-8", "replace")) // _BYTES_PER_TOKEN)


def fit_roster(roster: Roster, form: RosterFormat, budget: int) -> str:
    """The roster in as much detail as fits into `budget` tokens: examples go first, then descriptions.

    Raises `ClassifierError` when not even the names fit.
    """
    text = ""
    for detail in _DETAILS:
        agents = Roster(tuple(_reduced(agent, detail) for agent in roster.agents))
        text = roster_json(agents) if form == "json" else roster_xml(agents)
        if tokens(text) <= budget:
            return text
    raise ClassifierError(
        f"The names of {len(roster.agents)} agents take {tokens(text)} tokens, the budget is {budget}: raise "
        "LMOS_ROUTER_TOKENS, or use the router 'hybrid', which shows the model a shortlist"
    )


def _reduced(agent: RosterAgent, detail: _Detail) -> RosterAgent:
    capabilities = tuple(
        RosterCapability(c.name, c.version, _cut(c.description, detail.description), c.examples[: detail.examples])
        for c in agent.capabilities
    )
    return RosterAgent(agent.name, agent.version, _cut(agent.description, detail.description), capabilities)


def _cut(text: str, length: int) -> str:
    return text if len(text) <= length else text[:length].rsplit(" ", 1)[0]


def roster_json(roster: Roster) -> str:
    """A JSON array of agents. Empty members are left out."""
    agents = [
        _filled(
            name=agent.name,
            description=agent.description,
            version=agent.version,
            capabilities=[
                _filled(name=c.name, description=c.description, version=c.version, examples=list(c.examples))
                for c in agent.capabilities
            ],
        )
        for agent in roster.agents
    ]
    return json.dumps(agents, ensure_ascii=False, separators=(",", ":"))


def _filled(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value}


def roster_xml(roster: Roster) -> str:
    """An `agents_list` element, one tag a line. Empty descriptions and lists are left out."""
    return "\n".join(("<agents_list>", *(line for a in roster.agents for line in _agent_xml(a)), "</agents_list>", ""))


def _agent_xml(agent: RosterAgent) -> Iterator[str]:
    yield "<agent>"
    yield from _element("name", agent.name)
    yield from _element("description", agent.description)
    if agent.capabilities:
        yield "<capabilities>"
        for capability in agent.capabilities:
            yield "<capability>"
            yield from _element("name", capability.name)
            yield from _element("description", capability.description)
            for example in capability.examples:
                yield from _element("example", example)
            yield "</capability>"
        yield "</capabilities>"
    yield "</agent>"


def _element(name: str, text: str) -> Iterator[str]:
    if text:
        yield f"<{name}>{escape(text)}</{name}>"
