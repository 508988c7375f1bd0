"""`Agent`: what an author declares. Data only: `engine` runs it, `manifest` makes the resource of it.

from lmos import Agent, Capability

def bill(month: str) -> str:
    "The bill of a month."
    return "39.95 EUR"

agent = Agent(
    name="billing",
    description="Answers questions about bills",
    capabilities=[Capability("view-bill", examples=["How much is my bill?"])],
    prompt="You answer questions about bills.",
    tools=[bill],
    channels=["web"],
)
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, cast

from lmos.agents.capability import Capability, check_version
from lmos.agents.errors import DefinitionError
from lmos.agents.tools import Tool
from lmos.agents.turn import Turn
from lmos.models.base import ToolSpec

if TYPE_CHECKING:
    from lmos.conversation.exchange import AgentEvent, AgentRequest
    from lmos.models.base import Model

__all__ = ["Agent", "Prompt"]

Prompt = str | Callable[[Turn], str | Awaitable[str]]

# The name becomes a Kubernetes object's name and a host name: RFC 1123.
_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")


@dataclass(frozen=True, init=False, eq=False)
class Agent:
    """An agent: name, what it can do, how it behaves, which tools it has, and whom it serves.

    `tenants` empty means every tenant; `channels` empty means no channel (as in Eclipse LMOS). `model` names a model
    that overrides the platform's, `subset` is the release track (`stable` when `None`). Equal agents are the same
    object: an agent is reloaded as a new one.
    """

    name: str
    description: str
    version: str
    capabilities: tuple[Capability, ...]
    prompt: Prompt
    tools: tuple[Tool[..., Any], ...]
    tenants: tuple[str, ...]
    channels: tuple[str, ...]
    model: str | None
    subset: str | None
    labels: Mapping[str, str]

    def __init__(
        self,
        *,
        name: str,
        description: str = "",
        version: str = "1.0.0",
        capabilities: Sequence[Capability] = (),
        prompt: Prompt = "",
        tools: Sequence[Tool[..., Any] | Callable[..., Any]] = (),
        tenants: Sequence[str] = (),
        channels: Sequence[str] = (),
        model: str | None = None,
        subset: str | None = None,
        labels: Mapping[str, str] | None = None,
    ) -> None:
        if not isinstance(name, str) or not _NAME.fullmatch(name):  # pyright: ignore[reportUnnecessaryIsInstance]
            raise DefinitionError(f"Agent name={name!r} must be a DNS label; {_suggestion(name)}")
        where = f"Agent {name!r}"
        check_version(f"{where}: version", version)
        if not isinstance(prompt, str) and not callable(prompt):
            raise DefinitionError(f"{where}: prompt={prompt!r} must be a text or a function of the Turn")
        values: dict[str, object] = {
            "name": name,
            "description": description,
            "version": version,
            "capabilities": _capabilities(where, capabilities),
            "prompt": prompt,
            "tools": _tools(where, tools),
            "tenants": _texts(f"{where}: tenants", tenants),
            "channels": _texts(f"{where}: channels", channels),
            "model": model,
            "subset": subset,
            "labels": dict(labels or {}),
        }
        for field, value in values.items():
            object.__setattr__(self, field, value)

    def __repr__(self) -> str:
        return f"Agent({self.name!r}, version={self.version!r})"

    def tool(self, name: str) -> Tool[..., Any] | None:
        return next((tool for tool in self.tools if tool.name == name), None)

    @property
    def specs(self) -> tuple[ToolSpec, ...]:
        """The tools as a model sees them, with the examples of the capabilities that they implement.

        A capability lends its examples to the tool of its name (`view-bill` to `view_bill`); an only tool gets all.
        """
        lent: dict[str, list[str]] = {tool.name: [*tool.examples] for tool in self.tools}
        only = self.tools[0].name if len(self.tools) == 1 else None
        for capability in self.capabilities:
            owner = only or next((name for name in lent if _dashed(name) == _dashed(capability.name)), None)
            if owner is not None:
                lent[owner] += capability.examples
        return tuple(replace(tool.spec, examples=tuple(dict.fromkeys(lent[tool.name]))) for tool in self.tools)

    async def run(self, request: AgentRequest, *, model: Model) -> AsyncGenerator[AgentEvent, None]:
        """Answer one request with `model`: events as `Engine.ask` gives them. A server keeps one `Engine` instead."""
        from lmos.agents.engine import Engine

        async with Engine(model) as engine, aclosing(engine.ask(self, request)) as events:
            async for event in events:
                yield event


def _dashed(name: str) -> str:
    return name.lower().replace("_", "-")


def _suggestion(name: object) -> str:
    slug = re.sub(r"[^a-z0-9]+", "-", str(name).lower()).strip("-")[:63].strip("-")
    return f"write e.g. {slug or 'my-agent'!r} (lower-case letters, digits and '-', at most 63)"


def _capabilities(where: str, given: Sequence[Capability]) -> tuple[Capability, ...]:
    found: dict[str, Capability] = {}
    for position, capability in enumerate(_listed(f"{where}: capabilities", given)):
        if not isinstance(capability, Capability):
            raise DefinitionError(
                f"{where}: capabilities[{position}]={capability!r} is not a Capability; write Capability('name')"
            )
        if capability.name in found:
            raise DefinitionError(f"{where}: capability {capability.name!r} appears twice; keep one of them")
        found[capability.name] = capability
    return tuple(found.values())


def _tools(where: str, given: Sequence[Tool[..., Any] | Callable[..., Any]]) -> tuple[Tool[..., Any], ...]:
    found: dict[str, Tool[..., Any]] = {}
    for item in _listed(f"{where}: tools", given):
        try:
            tool = cast("Tool[..., Any]", item) if isinstance(item, Tool) else Tool(item)
        except DefinitionError as error:
            raise DefinitionError(f"{where}: {error}") from None
        if tool.name in found:
            raise DefinitionError(f"{where}: two tools are named {tool.name!r}; rename one with @tool(name=...)")
        found[tool.name] = tool
    return tuple(found.values())


def _texts(where: str, given: Sequence[str]) -> tuple[str, ...]:
    texts = tuple(_listed(where, given))
    for position, text in enumerate(texts):
        if not isinstance(text, str) or not text.strip():
            raise DefinitionError(f"{where}[{position}]={text!r} must be a non-empty text")
    return texts


def _listed(where: str, given: Any) -> Iterable[Any]:
    """`given` as it is; one thing where a list belongs is a common slip that iterating over it would hide."""
    if isinstance(given, (str, bytes, Capability, Tool)) or not isinstance(given, Iterable):
        raise DefinitionError(f"{where}={given!r} must be a list; write [{given!r}]")
    return cast("Iterable[Any]", given)
