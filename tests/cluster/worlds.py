"""Worlds drawn at random: the agents and channels of one namespace, whatever the CRDs admit.

Names, versions and labels come mostly from small pools, so that requirements meet offers, nearly meet them, and tie;
now and then they are any text. A namespace goes through several worlds, so names recur with other contents.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from lmos.resources.agent import Agent, AgentSpec, Endpoint, ProvidedCapability
from lmos.resources.base import Model, ObjectMeta, Resource
from lmos.resources.channel import Channel, ChannelSpec, RequiredCapability, ResolveStrategy
from lmos.resources.rules import RoutingRule, RoutingRules

__all__ = ["World", "generated", "worlds"]

M = TypeVar("M", bound=Model)

World = tuple[Resource, ...]
"""Objects of the namespace `default`, each name once a kind."""

_TEXT: Final = st.characters(exclude_categories=("Cs",))
_CAPABILITIES: Final = ("bill", "contract", "Tarif ändern")
# What stands twice comes twice as often: without some likeness nothing would ever resolve.
_TENANTS: Final = ("acme", "acme", "acme", "globex", "a.b_c-1")
_CHANNELS: Final = ("web", "web", "web", "ivr", "App")
_SUBSETS: Final = ("stable", "stable", "stable", "stable", "canary", "")
_VERSIONS: Final = (
    *("0.9.0", "1.0.0", "1.0.0", "1.0.0+b.1", "1.0.0-rc.1", "1.1.0", "1.2.3", "1.2.3+b.2", "2.0.0", "2.0.0-alpha"),
    *("v1.2.3", " 1.1.0 "),  # read all the same
)
_NO_VERSIONS: Final = ("1", "1.0", "latest", "01.0.0", "1.0.0.0", "99999999999.0.0", "^1.0.0")
_RANGES: Final = (
    *("", "*", "x", "1.x", "1.*", "^1.0.0", "~1.0", ">=1 <2", "^0.9", "1.0.0 - 1.2.3", "^1.0.0-0", "=1.0.0+b.9"),
    *("[1.0,2.0)", "(1.0,2.0]", "[1.0.0]", "]1.0,2.0[", "(,2.0]", "1.+", "latest", "latest.integration"),
    *("^1 || ^2", "<1.0.0 || >1.2.0", ">=1.0.0-rc.1"),
)
_NO_RANGES: Final = ("!=1.0.0", "one", ">= 1, < 2", "1.x.5", "[1.0", "99999999999999999999")
_URLS: Final = ("http://agent.example:8080", "https://agent.example", "WS://10.0.0.1/arc", "wss://[::1]:8443/a/b")
# The CRD admits these, and nobody can dial them.
_NO_URLS: Final = ("http://agent.example:", "http://h:0", "http://h:99999", "http://ä.example")
_PATTERNS: Final = ("bill|invoice", "(?P<n>[0-9]+)", "(", "a*", r"\d{4}")


def _model(model: type[M], **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[M]:
    """Objects with these fields by their Python names; `st.builds` would ask for required ones by wire names, too."""
    return st.fixed_dictionaries(fields).map(lambda values: model(**values))


def _often(*weighted: tuple[int, st.SearchStrategy[Any]]) -> st.SearchStrategy[Any]:
    """One of the strategies, each as often as its weight says; `st.one_of` takes them all equally often."""
    return st.sampled_from([one for weight, one in weighted for _ in range(weight)]).flatmap(lambda one: one)


def _text(*, least: int = 0, most: int) -> st.SearchStrategy[str]:
    return st.text(_TEXT, min_size=least, max_size=most)


def _some(of: st.SearchStrategy[Any], most: int, least: int = 0) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(of, min_size=least, max_size=most).map(tuple)


_label = st.from_regex(r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,4}[A-Za-z0-9])?", fullmatch=True)
_capability = _often((19, st.sampled_from(_CAPABILITIES)), (1, _text(least=1, most=12)))
_version = _often((17, st.sampled_from(_VERSIONS)), (2, st.sampled_from(_NO_VERSIONS)), (1, _text(least=1, most=12)))
_operator = st.sampled_from(("^", "~", ">=", "<=", "<", ">", "=", ""))
_range = _often(
    (16, st.sampled_from(_RANGES)),
    (5, st.builds("{}{}".format, _operator, st.sampled_from(_VERSIONS))),
    (2, st.builds("{} || {}".format, st.sampled_from(_RANGES), st.sampled_from(_RANGES))),
    (1, st.sampled_from(_NO_RANGES)),
    (1, _text(most=12)),
)
_any_url = st.from_regex(r"(https?|wss?)://[a-z0-9.:\[\]-]{1,12}(/[a-zA-Z0-9/%:@-]{0,6})?", fullmatch=True)
_url = _often((7, st.sampled_from(_URLS)), (2, st.sampled_from(_NO_URLS)), (1, _any_url))
_endpoint = _often(
    (8, st.none()),
    (3, _model(Endpoint, url=_url, protocol=st.sampled_from(("arc", "a2a")))),
    (1, st.just(Endpoint(protocol="local"))),
)
_provided = _model(
    ProvidedCapability,
    id=st.sampled_from(("", "c-1")),
    name=_capability,
    version=_version,
    description=_text(most=20),
    examples=_some(_text(most=20), 2),
)
_required = _model(
    RequiredCapability,
    id=st.sampled_from(("", "r-1")),
    name=_capability,
    version=_range,
    strategy=st.sampled_from(ResolveStrategy),
)
_rule = _model(
    RoutingRule,
    name=_text(most=10),
    agent=st.none() | st.sampled_from(("a", "b")),
    keywords=_some(_text(least=1, most=8), 2, least=1),
    patterns=_some(st.sampled_from(_PATTERNS), 2),
)
_rules = _model(
    RoutingRules,
    allowed_agents=_some(st.sampled_from(("a", "b", "unknown")), 2),
    denied_agents=_some(st.sampled_from(("a", "b")), 1),
    rules=_some(_rule, 2),
)
_supported_channels = st.tuples(
    st.sampled_from((("web", "ivr", "App"), ("web", "App"), ("web",), ("ivr",), ())), _some(_text(most=8), 1)
).map(lambda parts: (*parts[0], *parts[1]))
_agent_spec = _model(
    AgentSpec,
    id=st.sampled_from(("", "id-1")),
    description=_text(most=30),
    supported_tenants=_often((6, st.just(())), (3, _some(st.sampled_from(_TENANTS), 3)), (1, _some(_text(most=8), 2))),
    supported_channels=_supported_channels,
    provided_capabilities=_often((9, _some(_provided, 6, least=2)), (1, st.just(()))),
    endpoint=_endpoint,
)
_channel_spec = _model(
    ChannelSpec, required_capabilities=_some(_required, 4), routing_rules=_often((4, st.none()), (1, _rules))
)
_key = st.just("note") | st.just("lmos.example/why")
_annotations = st.dictionaries(_key, _text(most=10), max_size=2)


@st.composite
def _labels(draw: st.DrawFn, *, of_channel: bool) -> dict[str, str]:
    found: dict[str, str] = {}
    pools = {"subset": _SUBSETS, "version": ("1.0.0", "2.0.0")}
    if of_channel:
        pools |= {"tenant": _TENANTS, "channel": _CHANNELS}
    for label, pool in pools.items():
        # A Channel mostly has the two labels without which nobody serves it; all others are often left out.
        kept = 9 if label in ("tenant", "channel") else 2
        if draw(_often((kept, st.just(True)), (1, st.just(False)))):
            found[label] = draw(_often((19, st.sampled_from(pool)), (1, _label)))
    if draw(st.booleans()):
        found["team.example/owner"] = draw(_label)
    return found


def _names(pool: Sequence[str], *, least: int) -> st.SearchStrategy[Sequence[str]]:
    """Some of the pool; `st.lists` would mostly draw few."""
    counts = st.integers(least, len(pool))
    return counts.flatmap(lambda count: st.permutations(pool).map(lambda shuffled: shuffled[:count]))


@st.composite
def worlds(draw: st.DrawFn) -> World:
    """Up to five agents and one to four channels."""
    agents = draw(_names(("a", "a-b", "a.b", "b", "c"), least=0))
    channels = draw(_names(("web", "ivr", "app", "a"), least=1))
    found: list[Resource] = [
        Agent(metadata=_meta(name, draw(_labels(of_channel=False)), draw(_annotations)), spec=draw(_agent_spec))
        for name in agents
    ]
    found += [
        Channel(metadata=_meta(name, draw(_labels(of_channel=True)), draw(_annotations)), spec=draw(_channel_spec))
        for name in channels
    ]
    return tuple(draw(st.permutations(found)))


def _meta(name: str, labels: dict[str, str], annotations: dict[str, str]) -> ObjectMeta:
    return ObjectMeta(name=name, labels=labels, annotations=annotations)


def generated(count: int, number: int) -> Sequence[World]:
    """`count` worlds; the same for the same seed `number` and version of hypothesis."""
    found: dict[str, World] = {}

    @seed(number)
    @settings(
        max_examples=count + count // 3 + 20,  # it repeats itself
        phases=(Phase.generate,),
        database=None,
        deadline=None,
        suppress_health_check=(HealthCheck.too_slow, HealthCheck.data_too_large),
    )
    @given(worlds())
    def draw(world: World) -> None:
        found.setdefault(repr(world), world)

    draw()
    return list(found.values())[:count]
