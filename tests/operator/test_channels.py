"""Which channels an agent's change can touch."""

from __future__ import annotations

import pytest

from lmos.operator.views import Views, touched_by
from lmos.resources.agent import Agent
from tests.operator.builders import agent, channel, discovered


@pytest.fixture(scope="module")
def views() -> Views:
    """Channels `x`, `y`, `xy` that require what their names say, one that requires nothing, one elsewhere."""
    views = Views()
    for found in (
        channel(("x", "*"), name="x"),
        channel(("y", "*"), name="y"),
        channel(("x", "*"), ("y", "*"), name="xy"),
        channel(name="nothing"),
        channel(("x", "*"), name="far", namespace="far"),
    ):
        views.channels.put(found.with_meta(resource_version="1"))
    return views


X, Y = agent("a", ("x", "1.0.0")), agent("a", ("y", "1.0.0"))


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        (None, X, ["nothing", "x", "xy"]),
        (X, None, ["nothing", "x", "xy"]),
        (X, Y, ["nothing", "x", "xy", "y"]),
        (X, agent("a", ("x", "2.0.0")), ["nothing", "x", "xy"]),
        (X, agent("a", ("x", "1.0.0"), subset="canary"), ["nothing", "x", "xy"]),
        (None, agent("a", ("unheard-of", "1.0.0")), ["nothing"]),
        (None, agent("a", ("x", "1.0.0"), namespace="far"), ["far"]),
        (X, X.with_meta(annotations={"note": "hello"}, resource_version="9"), []),
        (discovered("a", ("x", "1.0.0")), discovered("a", ("y", "1.0.0")), ["nothing", "x", "xy", "y"]),
    ],
    ids=[
        *("new", "gone", "other-capability", "other-version", "other-subset", "stranger", "elsewhere", "annotation"),
        "discovered",
    ],
)
def test_an_agent_touches_channels_that_require_what_it_provides_or_did(
    views: Views, old: Agent | None, new: Agent | None, names: list[str]
) -> None:
    assert sorted(name for _, name in touched_by(views, old, new)) == names
