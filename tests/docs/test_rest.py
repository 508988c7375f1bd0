"""`reference/rest.md` names every call, parameter and status of the OpenAPI document, and every error code."""

from __future__ import annotations

import ast
import re
from collections.abc import AsyncIterator
from typing import Any

import pytest

from lmos.conversation import errors
from lmos.conversation.errors import TurnError
from lmos.operator.api import routes
from lmos.operator.catalog import Catalog
from lmos.operator.watch_api import watch_routes
from lmos.server.health import actuator_routes, health_routes
from lmos.testing import MemoryPlatform
from tests.docs.pages import ROOT, spans_in, text_of

pytestmark = pytest.mark.anyio

_PAGE = text_of("reference/rest.md")
_SPANS = spans_in(_PAGE)


@pytest.fixture(scope="module")
async def openapi() -> AsyncIterator[dict[str, Any]]:
    async with MemoryPlatform() as platform, platform.client() as client:
        yield (await client.get("/openapi.json")).json()


async def test_every_call_is_documented_and_no_other(openapi: dict[str, Any]) -> None:
    documented = {tuple(span.split("?")[0].split()) for span in _SPANS if re.match(r"(GET|POST|DELETE) /apis", span)}
    assert documented == {(method.upper(), path) for path, calls in openapi["paths"].items() for method in calls}


def test_every_path_of_the_operator_and_of_probes_is_documented() -> None:
    catalog = Catalog()
    found = [*routes(catalog), *watch_routes(catalog), *health_routes(tuple), *actuator_routes(tuple)]
    assert {re.sub(r"\{(\w+)\}", r"{\1Id}", route.path) for route in found} - set(_SPANS) == set()


async def test_every_parameter_is_documented(openapi: dict[str, Any]) -> None:
    parameters = {
        parameter["name"]
        for calls in openapi["paths"].values()
        for call in calls.values()
        for parameter in call.get("parameters", [])
    }
    assert {name for name in parameters if name not in _PAGE} == set()


async def test_every_status_is_documented(openapi: dict[str, Any]) -> None:
    statuses = {
        status
        for calls in openapi["paths"].values()
        for call in calls.values()
        for status in call["responses"]
        if status != "200"
    }
    assert {status for status in statuses if not re.search(rf"\b{status}\b", _PAGE)} == set()


def test_every_error_code_is_documented() -> None:
    named = [getattr(errors, name) for name in errors.__all__]
    codes = {error.code for error in named if isinstance(error, type) and issubclass(error, TurnError)}
    assert codes | _literal_codes() <= set(_SPANS)


def _literal_codes() -> set[str]:
    """Codes that the server writes without an error class, such as that of an unknown path."""
    return {
        text.value
        for path in (ROOT / "src/lmos/server").glob("*.py")
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef)
        for text in ast.walk(function)
        if isinstance(text, ast.Constant)
        and isinstance(text.value, str)
        and re.fullmatch(r"[A-Z]{3,}(_[A-Z]+)+", text.value)
    }
