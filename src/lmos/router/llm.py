"""`LlmClassifier`: a language model reads the roster and the conversation and names the agent, or none.

It needs no examples and reads what similarity cannot; it is slow, costs money and gives no probability. `hybrid` asks
it only when the vector classifier is not sure.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final

from lmos.conversation.events import Candidate
from lmos.models.base import Model, ModelMessage
from lmos.router.answers import NamedAgent, named_agent
from lmos.router.asking import Limits, ask, conversation
from lmos.router.base import Classification, ClassificationRequest, ClassifierError, Roster, RosterAgent
from lmos.router.language import language_of
from lmos.router.roster_text import RosterFormat, fit_roster, tokens
from lmos.router.templates import Prompts

__all__ = ["MODEL_ACCURACY", "LlmClassifier", "LlmOptions", "roster_variables"]

MODEL_ACCURACY: Final = 0.96
"""How often a model's choice is right: GPT-4o-mini on Eclipse LMOS's published benchmark. What models say of their own
certainty is worth less (a mean error of 17 % where this was measured)."""

_HISTORY_SHARE: Final = 0.4
_MOST_ROSTERS: Final = 64


@dataclass(frozen=True)
class LlmOptions:
    """How the model is asked. `form` is how the variable `roster` of a prompt is written."""

    prompts: Prompts = field(default_factory=Prompts)
    form: RosterFormat = "json"
    limits: Limits = field(default_factory=Limits)


class LlmClassifier:
    """Classifies with one question to `model`. An agent that it makes up counts as none."""

    def __init__(self, model: Model, options: LlmOptions | None = None) -> None:
        self._model = model
        self._options = options or LlmOptions()
        self._rosters: OrderedDict[str, Mapping[str, str]] = OrderedDict()

    @property
    def name(self) -> str:
        return "llm"

    async def prepare(self, roster: Roster) -> None:
        """Nothing is learnt from a roster here."""

    async def classify(self, request: ClassificationRequest) -> Classification:
        """Decide. Raises `ModelUnavailable`, and `ClassifierError` when the roster exceeds the token budget."""
        roster = request.roster
        if not roster.agents:
            return self._none("No agent serves this channel.")
        if not request.query.strip():
            return self._none("The message has no words.")
        limits = self._options.limits
        messages = self._messages(request)
        named = await ask(self._model, messages, named_agent, schema=_schema(roster), limits=limits)
        return self._decision(named, roster)

    def _messages(self, request: ClassificationRequest) -> list[ModelMessage]:
        """The instructions, then the conversation in what they leave of the token budget."""
        limits, language = self._options.limits, language_of(request.query)
        variables = {
            **self._roster(request.roster),
            "agents": [_variables(agent) for agent in request.roster.agents],
            "tenant": request.tenant,
            "channel": request.channel,
            "subset": request.subset,
            "current_agent": request.current_agent if request.roster.agent(request.current_agent or "") else "",
            "query": request.query,
            "language": language,
        }
        system = self._options.prompts.render("route", language, variables)
        said = conversation(request.query, request.history, limits.tokens - tokens(system))
        total = tokens(system) + sum(tokens(message.content) for message in said)
        if total > limits.tokens:
            raise ClassifierError(
                f"The prompt takes {total} tokens, the budget is {limits.tokens}: raise LMOS_ROUTER_TOKENS or shorten "
                "the template"
            )
        return [ModelMessage("system", system), *said]

    def _roster(self, roster: Roster) -> Mapping[str, str]:
        known = self._rosters.get(roster.digest)
        if known is None:
            budget = int(self._options.limits.tokens * (1 - _HISTORY_SHARE))
            known = self._rosters[roster.digest] = roster_variables(roster, self._options.form, budget)
            while len(self._rosters) > _MOST_ROSTERS:
                self._rosters.popitem(last=False)
        self._rosters.move_to_end(roster.digest)
        return known

    def _decision(self, named: NamedAgent, roster: Roster) -> Classification:
        why = f": {named.reason.rstrip('.')}." if named.reason else "."
        if named.agent is None:
            return self._none(f"The model finds no agent for the message{why}")
        if roster.agent(named.agent) is None:
            return self._none(f"The model names agent {named.agent!r}, which does not serve this channel{why}")
        candidate = Candidate(agent=named.agent, score=MODEL_ACCURACY)
        reason = f"The model chooses agent {named.agent!r}{why}"
        return Classification("match", (named.agent,), (candidate,), MODEL_ACCURACY, self.name, reason)

    def _none(self, reason: str) -> Classification:
        return Classification("out_of_scope", (), (), 0.0, self.name, reason)


def roster_variables(roster: Roster, form: RosterFormat, budget: int) -> Mapping[str, str]:
    """The roster as the variables of a prompt, each within `budget` tokens. Raises `ClassifierError`.

    `roster` is in `form`; the other form is left out where it does not fit, which only a template that uses it minds.
    """
    text = fit_roster(roster, form, budget)
    variables = {"roster": text, f"agents_list_{form}": text}
    other: RosterFormat = "xml" if form == "json" else "json"
    with suppress(ClassifierError):
        variables[f"agents_list_{other}"] = fit_roster(roster, other, budget)
    return variables


def _variables(agent: RosterAgent) -> dict[str, Any]:
    """An agent as a template sees it."""
    return {
        "name": agent.name,
        "version": agent.version,
        "description": agent.description,
        "capabilities": [
            {"name": c.name, "version": c.version, "description": c.description, "examples": list(c.examples)}
            for c in agent.capabilities
        ],
    }


def _schema(roster: Roster) -> dict[str, Any]:
    """The reason comes first: a model that must say why before it chooses chooses better."""
    names = list(dict.fromkeys(agent.name for agent in roster.agents))
    return {
        "title": "ClassifiedAgentResult",
        "type": "object",
        "properties": {
            "reason": {"type": "string", "description": "Why, in one short sentence."},
            "agentId": {"type": ["string", "null"], "enum": [*names, None], "description": "The agent, null for none."},
        },
        "required": ["reason", "agentId"],
        "additionalProperties": False,
    }
