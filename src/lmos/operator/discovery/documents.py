"""What a document says that an agent can do, as an `Offer`. Pure.

A document is taken or refused as a whole, as a manifest is: one that is half understood would be half served.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final

from pydantic import ValidationError

from lmos.operator import reasons
from lmos.operator.discovery.base import Document, Undiscovered
from lmos.operator.workloads import ANNOTATION_PREFIX
from lmos.protocols.a2a.cards import BadCard, parse_card
from lmos.protocols.arc.capabilities import BadCapabilities, parse_capabilities
from lmos.resources.agent import Offer
from lmos.resources.versions import BadVersion, parse_version

__all__ = ["CHANNELS", "TENANTS", "VERSION", "Told", "offer_of"]

TENANTS: Final = f"{ANNOTATION_PREFIX}tenants"
CHANNELS: Final = f"{ANNOTATION_PREFIX}channels"
VERSION: Final = f"{ANNOTATION_PREFIX}version"

_MEMBERS: Final = {"arc": "capabilities", "a2a": "skills"}
"""What the documents call the list of what an agent can do."""
_MAX_MESSAGE: Final = 2048


@dataclass(frozen=True, slots=True)
class Told:
    """What people say of an agent beside its document, in annotations; `None` where they say nothing.

    `tenants` and `channels` replace the document's. `version` is that of all capabilities, for an A2A card whose own
    version is none.
    """

    tenants: tuple[str, ...] | None = None
    channels: tuple[str, ...] | None = None
    version: str | None = None

    @staticmethod
    def in_annotations(annotations: Mapping[str, str]) -> Told:
        """Names are separated by commas."""
        return Told(_names(annotations.get(TENANTS)), _names(annotations.get(CHANNELS)), annotations.get(VERSION))

    @property
    def digest(self) -> str | None:
        """Differs when something else is told; `None` when nothing is."""
        return None if self == Told() else sha256(repr(self).encode()).hexdigest()[:16]


def offer_of(document: Document, told: Told) -> Offer:
    """What the document offers, with what was told beside it. Raises `Undiscovered`."""
    protocol = document.place.protocol
    try:
        offer = Offer.model_validate(_read(document, told))
    except (BadCapabilities, BadCard) as error:
        raise _invalid(document, str(error)) from None
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        field = ".".join(str(part) for part in first["loc"]).replace("providedCapabilities", _MEMBERS[protocol])
        raise _invalid(document, f"{field}: {first['msg']}") from None
    for number, capability in enumerate(offer.provided_capabilities):
        try:
            parse_version(capability.version)
        except BadVersion as error:
            where, fix = f"capabilities.{number}.version", error.fix
            if protocol == "a2a":
                where = "annotation " + VERSION if told.version else "version"
                fix = f"annotate the Agent, or the workload that runs it, with {VERSION}: 1.0.0"
            raise _invalid(document, f"{where}: {error.text!r} {error.reason}; {fix}") from None
    return offer


def _read(document: Document, told: Told) -> dict[str, Any]:
    if document.place.protocol == "arc":
        data = parse_capabilities(document.body).model_dump()
        data["provided_capabilities"] = data.pop("capabilities")
    else:
        data = _of_card(document.body, told)
    if told.tenants is not None:
        data["supported_tenants"] = told.tenants
    if told.channels is not None:
        data["supported_channels"] = told.channels
    return data


def _of_card(body: bytes, told: Told) -> dict[str, Any]:
    """A skill's `id` is what a channel requires: its `name` is for people and may change with the wording."""
    card = parse_card(body)
    return {
        "id": card.name,
        "description": card.description,
        "provided_capabilities": [
            {
                "id": skill.id,
                "name": skill.id,
                "version": told.version or card.version,
                "description": skill.description,
                "examples": skill.examples,
            }
            for skill in card.skills
        ],
    }


def _invalid(document: Document, message: str) -> Undiscovered:
    text = f"{document.place.url}: {message}"
    if len(text) > _MAX_MESSAGE:
        text = text[: _MAX_MESSAGE - 1] + "…"
    return Undiscovered(reasons.INVALID_DOCUMENT, text)


def _names(text: str | None) -> tuple[str, ...] | None:
    return None if text is None else tuple(filter(None, (name.strip() for name in text.split(","))))
