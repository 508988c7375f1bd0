from __future__ import annotations

import pytest

from lmos.encoders.registry import encoder_named
from lmos.router.base import ClassificationRequest, UnknownAgent
from lmos.router.classifier import default_classifier
from tests.router.rosters import ACME

pytestmark = pytest.mark.anyio


async def test_a_named_agent_is_taken_whatever_the_query_says() -> None:
    request = ClassificationRequest("my internet is down", ACME, explicit_agent="billing")
    found = await default_classifier(encoder_named("static")).classify(request)
    assert (found.outcome, found.agents, found.strategy, found.confidence) == ("match", ("billing",), "explicit", 1.0)


async def test_an_unknown_agent_is_an_error_that_lists_the_known_ones() -> None:
    request = ClassificationRequest("my internet is down", ACME, explicit_agent="shop")
    with pytest.raises(UnknownAgent, match=r"'shop'.*billing, contract, support"):
        await default_classifier(encoder_named("static")).classify(request)
