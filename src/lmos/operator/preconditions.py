"""What a write with a uid or a resource version asks of the object that is there. Every store asks the same."""

from __future__ import annotations

from typing import NamedTuple

from lmos.operator.base import Conflict
from lmos.resources.base import Resource

__all__ = ["Found", "check_preconditions"]


class Found(NamedTuple):
    """The object that is stored now."""

    uid: str | None
    version: str | None


def check_preconditions(resource: Resource, found: Found | None) -> None:
    """Raises `Conflict` when `metadata.uid` or `metadata.resource_version` of `resource` are given and not those."""
    uid, version = resource.metadata.uid, resource.metadata.resource_version
    if found is None:
        if uid is not None or version is not None:
            raise Conflict(
                f"{resource.key} does not exist (any more); to create it, leave out metadata.uid and "
                "metadata.resourceVersion"
            )
        return
    if uid is not None and uid != found.uid:
        raise Conflict(f"{resource.key} was created again (uid {found.uid!r}, not {uid!r}); read it and retry")
    if version is not None and version != found.version:
        raise Conflict(
            f"{resource.key} has changed (resource version {found.version!r}, not {version!r}); read it and retry"
        )
