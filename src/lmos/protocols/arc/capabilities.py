"""`/.well-known/capabilities.json`: how an agent tells the operator what it can do.

Agents serve it, an operator reads it. The JVM operator refuses unknown members, so the document has exactly five and
each capability exactly five; reading is as strict, because what the document misspells would be lost silently.
"""

from __future__ import annotations

from typing import Final

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

__all__ = ["CAPABILITIES_PATH", "BadCapabilities", "CapabilitiesDocument", "DocumentCapability", "parse_capabilities"]

CAPABILITIES_PATH: Final = "/.well-known/capabilities.json"


class BadCapabilities(ValueError):
    """The document cannot be understood; the message names member, value and fix."""


class _Strict(BaseModel):
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        alias_generator=to_camel,
        validate_by_name=True,
        validate_by_alias=True,
    )


class DocumentCapability(_Strict):
    """One capability, in one version, with example queries."""

    id: str
    name: str
    version: str
    description: str
    examples: list[str]


class CapabilitiesDocument(_Strict):
    """What one agent offers. Empty `supported_tenants` means every tenant, empty `supported_channels` none."""

    id: str
    description: str
    supported_tenants: list[str]
    supported_channels: list[str]
    capabilities: list[DocumentCapability]

    def to_json(self) -> bytes:
        return orjson.dumps(self.model_dump(by_alias=True))


def parse_capabilities(text: bytes | str) -> CapabilitiesDocument:
    """Read a document with wire names. Raises `BadCapabilities` that lists every wrong member."""
    try:
        value = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise BadCapabilities(f"capabilities.json is not JSON: {error}") from None
    try:
        return CapabilitiesDocument.model_validate(value, by_name=False, by_alias=True)
    except ValidationError as error:
        faults = "; ".join(
            f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: "
            + _explain(fault["type"], fault["msg"], fault["input"])
            for fault in error.errors()
        )
        raise BadCapabilities(f"capabilities.json: {faults}") from None


def _explain(kind: str, message: str, value: object) -> str:
    if kind == "missing":
        return "is missing; every member is required, lists may be empty"
    if kind == "extra_forbidden":
        return "is not a member of the document; remove it"
    return f"{message}, got {value!r:.80}"
