"""`lmos route`: which agent would answer a query, and why. Asks no agent and writes nothing."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter
from rich.text import Text

from lmos.cli.documents import print_document
from lmos.cli.errors import CommandError
from lmos.cli.options import Namespace, ReportFormat
from lmos.cli.terminal import output_console, status_text, table
from lmos.cli.where import HERE, Where
from lmos.cli.workspace import Workspace, listed
from lmos.resources.agent import STABLE
from lmos.resources.routing import ChannelRouting

if TYPE_CHECKING:
    from lmos.router.base import Classification, Explanation

__all__ = ["find_routing", "route"]

_SHOWN_EXAMPLES = 3


def route(
    query: Annotated[str, Parameter(help="What the customer says.")],
    /,
    *,
    tenant: Annotated[str, Parameter(help="Tenant of the channel.")],
    channel: Annotated[str, Parameter(help="Channel through which the query comes.")],
    subset: Annotated[str, Parameter(help="Subset of the channel.")] = STABLE,
    current_agent: Annotated[str | None, Parameter(help="The agent that answered the turn before.")] = None,
    explicit_agent: Annotated[str | None, Parameter(help="An agent that the caller names.")] = None,
    namespace: Namespace = None,
    output: ReportFormat = "table",
    where: Where = HERE,
) -> None:
    """Decide which agent would answer a query, and show why: candidates, scores and the examples that matched.

    Decides as the platform does, on the ChannelRouting in the data folder or a cluster; the platform need not be
    running.
    """
    workspace = where.workspace()
    scope = workspace.namespace(namespace)
    routing = asyncio.run(find_routing(workspace, scope, tenant, channel, subset))
    decision = asyncio.run(_decide(query, routing, current_agent, explicit_agent))
    if output == "table":
        _print(decision)
    else:
        print_document(_document(query, routing, decision), output)


async def find_routing(workspace: Workspace, namespace: str, tenant: str, channel: str, subset: str) -> ChannelRouting:
    """The ChannelRouting with these labels. Raises `CommandError` naming those that exist."""
    async with workspace.opened_if_there() as store:
        found = await listed(store, ChannelRouting.KIND, namespace)
    routings = [routing for routing in found if isinstance(routing, ChannelRouting)]
    for routing in routings:
        if (routing.tenant, routing.channel, routing.subset) == (tenant, channel, subset):
            return routing
    known = ", ".join(f"{r.tenant}/{r.channel} ({r.subset})" for r in routings)
    raise CommandError(
        f"no routing for channel {channel!r} of tenant {tenant!r} in subset {subset!r} (namespace {namespace!r})",
        f"there are: {known}"
        if known
        else f"there is none in {workspace}: apply a Channel first, or look elsewhere: --data, --context",
    )


async def _decide(
    query: str, routing: ChannelRouting, current_agent: str | None, explicit_agent: str | None
) -> Classification:
    from lmos.cli.configuration import load_settings
    from lmos.router.base import ClassificationRequest
    from lmos.runtime.routes import compile_route
    from lmos.server.deciding import classifier_for, encoders_for

    settings = load_settings()
    compiled = compile_route(routing)
    request = ClassificationRequest(
        query=query,
        roster=compiled.roster,
        current_agent=current_agent,
        explicit_agent=explicit_agent,
        tenant=routing.tenant or "",
        channel=routing.channel or "",
        subset=compiled.subset,
        rules=routing.spec.routing_rules,
    )
    classifier = classifier_for(settings, encoders_for(settings))
    await classifier.prepare(request.roster)  # as the platform has it, not a first sketch of a large roster
    return await classifier.classify(request)


def _print(decision: Classification) -> None:
    console = output_console()
    agents = ", ".join(decision.agents)
    console.print(
        Text.assemble(status_text(decision.outcome), *([" ", (agents, "bold")] if agents else [])),
        f"{decision.reason}",
        f"confidence {decision.confidence:.2f}, strategy {decision.strategy}",
        *_numbers(decision),
        sep="\n",
    )
    if not decision.candidates:
        return
    rows = [
        (c.agent, c.capability or "", f"{c.score:.2f}", "; ".join(repr(e) for e in c.examples[:_SHOWN_EXAMPLES]))
        for c in decision.candidates
    ]
    console.print()
    console.print(table(("AGENT", "CAPABILITY", "SCORE", "MATCHED EXAMPLES"), rows))


def _numbers(decision: Classification) -> list[str]:
    """What the decision was measured against, one line each."""
    behind = decision.explanation
    if behind is None:
        return []
    lines = [f"in scope {behind.scope:.2f}, declined below {behind.scope_limit:.2f} (encoder {behind.tier})"]
    if len(decision.candidates) > 1:
        margin = decision.candidates[0].score - decision.candidates[1].score
        lines.append(f"margin between the best two {margin:.2f}, asks below {behind.margin_limit:.2f}")
    if behind.leaving is not None:
        lines.append(f"leaves the current agent {behind.leaving:.2f}, goes on with it below {behind.leaving_limit:.2f}")
    return lines


def _document(query: str, routing: ChannelRouting, decision: Classification) -> dict[str, Any]:
    return {
        "query": query,
        "channelRouting": f"{routing.metadata.namespace}/{routing.metadata.name}",
        "outcome": decision.outcome,
        "agents": list(decision.agents),
        "confidence": decision.confidence,
        "strategy": decision.strategy,
        "reason": decision.reason,
        "candidates": [c.model_dump(mode="json", by_alias=True) for c in decision.candidates],
        "explanation": None if decision.explanation is None else _explained(decision.explanation),
    }


def _explained(behind: Explanation) -> dict[str, Any]:
    return {
        "encoder": behind.tier,
        "inScope": behind.scope,
        "inScopeLimit": behind.scope_limit,
        "marginLimit": behind.margin_limit,
        "leaving": behind.leaving,
        "leavingLimit": behind.leaving_limit,
    }
