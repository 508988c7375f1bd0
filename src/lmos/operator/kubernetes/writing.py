"""Writes by server-side apply, made to keep what the `Store` port promises. `KubernetesStore` keeps one `Writer`.

Left to itself, server-side apply (1) creates an object that is gone, though it was given a resource version, and takes
no uid as a condition of a status; (2) leaves fields standing that others have set. So a condition is always sent as uid
and version together, which the server checks, and what is left over is removed by a second request, which is rare.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Collection
from typing import Any, Final, Literal

from lmos.operator.base import Conflict, NotFound, StoreError
from lmos.operator.kubernetes.client import Client, Json
from lmos.operator.kubernetes.errors import FieldConflict, Terminating
from lmos.operator.kubernetes.kinds import ApiResource
from lmos.operator.kubernetes.leftovers import leftovers
from lmos.operator.preconditions import Found, check_preconditions
from lmos.resources.base import Resource

__all__ = ["Writer"]

Part = Literal["spec", "status"]

_ATTEMPTS: Final = 10
_PAUSE: Final = 0.02


class Writer:
    """Writes to one server. `jitter` gives numbers from 0 to 1."""

    def __init__(self, client: Client, jitter: Callable[[], float]) -> None:
        self._client = client
        self._jitter = jitter

    async def write(
        self,
        known: ApiResource,
        resource: Resource,
        part: Part,
        *,
        field_manager: str,
        force: bool,
        without: Collection[str] = (),
    ) -> Json:
        """Write the spec, with what people may set in metadata, or the status; the stored object."""
        for attempt in range(_ATTEMPTS):
            try:
                return await self._attempt(known, resource, part, field_manager, force, without)
            except (FieldConflict, Terminating):
                raise
            except Conflict:
                if resource.metadata.resource_version is not None or attempt + 1 == _ATTEMPTS:
                    raise
            # Without a version the last writer wins: a race with another one is not the caller's concern.
            await asyncio.sleep(_PAUSE * 2**attempt * self._jitter())
        raise AssertionError("the last attempt returns or raises")

    async def _attempt(
        self,
        known: ApiResource,
        resource: Resource,
        part: Part,
        field_manager: str,
        force: bool,
        without: Collection[str],
    ) -> Json:
        pins = await self._pins(known, resource, part)
        wanted = _dumped(resource, part)
        body: Json = {
            "apiVersion": known.api_version,
            "kind": known.kind,
            "metadata": (_own_metadata(resource) if part == "spec" else _name(resource)) | pins,
        }
        if wanted is not None:
            body[part] = wanted
        path = known.path(resource.metadata.namespace, resource.metadata.name, "status" if part == "status" else None)
        try:
            stored = await self._client.apply(path, body, field_manager=field_manager, force=force)
        except Conflict as error:
            raise await self._explained(known, resource, error) from error
        except NotFound as error:
            raise await self._absent(known, resource, part, error) from error
        patch = _patch(stored, part, wanted, without) if force else _patch(stored, part, stored.get(part), without)
        return stored if patch is None else await self._client.merge(path, patch, field_manager=field_manager)

    async def _pins(self, known: ApiResource, resource: Resource, part: Part) -> Json:
        """The uid and version to send, both or none."""
        uid, version = resource.metadata.uid, resource.metadata.resource_version
        if uid is None and version is None:
            return {}
        if uid is None or version is None:
            found = await self._find(known, resource)
            if found is None and part == "status":
                raise _no_object(resource)
            check_preconditions(resource, found)
            assert found is not None  # else the check had raised
            uid, version = found
        return {"uid": uid, "resourceVersion": version}

    async def _find(self, known: ApiResource, resource: Resource) -> Found | None:
        try:
            raw = await self._client.get(known.path(resource.metadata.namespace, resource.metadata.name))
        except NotFound:
            return None
        return Found(raw["metadata"]["uid"], raw["metadata"]["resourceVersion"])

    async def _explained(self, known: ApiResource, resource: Resource, error: Conflict) -> Conflict:
        """The server says only that there is a conflict; a look at the object says which."""
        if isinstance(error, FieldConflict | Terminating) or resource.metadata.resource_version is None:
            return error
        try:
            check_preconditions(resource, await self._find(known, resource))
        except Conflict as told:
            return told
        except StoreError:  # the conflict is what the caller has to know
            return error
        return error

    async def _absent(self, known: ApiResource, resource: Resource, part: Part, error: NotFound) -> StoreError:
        if part == "spec":
            return error
        if await self._find(known, resource) is None:
            return _no_object(resource)
        return StoreError(
            f"the CustomResourceDefinition {known.full_name} has no status: install that of this version: "
            "lmos crds | kubectl apply --server-side -f -"
        )


def _patch(stored: Json, part: Part, wanted: Any, without: Collection[str]) -> Json | None:
    """What has to be removed after an apply, because others own it; `None` when nothing has."""
    meta: Json = {
        field: {name: None for name in without if name in stored["metadata"].get(field, ())}
        for field in ("labels", "annotations")
    }
    patch: Json = {"metadata": {field: names for field, names in meta.items() if names}}
    surplus = leftovers(stored.get(part), wanted)
    if surplus is not None or (part in stored) != (wanted is not None):
        patch[part] = surplus
    elif not patch["metadata"]:
        return None
    patch["metadata"]["resourceVersion"] = stored["metadata"]["resourceVersion"]
    return patch


def _no_object(resource: Resource) -> NotFound:
    return NotFound(f"{resource.key} does not exist, so its status cannot be written; apply it first")


def _name(resource: Resource) -> Json:
    return {"name": resource.metadata.name, "namespace": resource.metadata.namespace}


def _own_metadata(resource: Resource) -> Json:
    """What people and controllers set; the rest is the server's."""
    meta = resource.metadata
    found = _name(resource)
    if meta.labels:
        found["labels"] = meta.labels
    if meta.annotations:
        found["annotations"] = meta.annotations
    if meta.owner_references:
        found["ownerReferences"] = [
            owner.model_dump(by_alias=True, exclude_none=True) for owner in meta.owner_references
        ]
    if meta.finalizers:
        found["finalizers"] = list(meta.finalizers)
    return found


def _dumped(resource: Resource, part: Part) -> Any:
    # Every kind has a spec, and those with a status such; their common base does not know the types.
    value = getattr(resource, part, None)
    if value is None:
        return None
    # Of a spec, what people wrote: its manager would else own, and `kubectl get` show, defaults that nobody set.
    return value.model_dump(mode="json", by_alias=True, exclude_none=True, exclude_unset=part == "spec")
