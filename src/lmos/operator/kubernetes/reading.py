"""Objects as the API server sends them, read into models, whatever state they are in.

`KubernetesStore` uses it. An API server holds what other versions of LMOS, other programs and people have written, and
one object that cannot be read must not hide the others:

- A field that a model does not know is left out, as Kubernetes asks of its clients: the CRD may be newer than we are.
- An object that lacks something, or holds what a model refuses, counts as absent: nothing can be derived from it.

Both are logged once. Manifests, which people write for this version, are read strictly, elsewhere.
"""

from __future__ import annotations

from typing import Any

from pydantic import ValidationError

from lmos.operator import metrics, reasons
from lmos.operator.base import StoreError
from lmos.operator.kubernetes.client import Json
from lmos.operator.kubernetes.kinds import ApiResource
from lmos.resources.base import ObjectMeta, Resource
from lmos.telemetry.logs import logger

__all__ = ["Reader", "Unreadable"]


class Unreadable(StoreError):
    """An object that the models refuse; the message names kind, namespace, name and field."""


class Reader:
    """Reads objects of any kind. Takes what it is given apart: give it data that nobody else uses."""

    def __init__(self) -> None:
        self._logged: set[tuple[str, ...]] = set()

    def read(self, resource: ApiResource, raw: Json) -> Resource:
        """The object. Raises `Unreadable`."""
        # A third of an object's size, and nothing that we look at.
        raw["metadata"].pop("managedFields", None)
        try:
            return resource.model.model_validate(raw)
        except ValidationError as error:
            if all(
                fault["type"] == "extra_forbidden" for fault in error.errors(include_url=False, include_input=False)
            ):
                return self._leniently(resource, raw, error)
            raise Unreadable(_told(resource, raw, error)) from error

    def read_if_possible(self, resource: ApiResource, raw: Json) -> Resource | None:
        """The object; `None`, and a line in the log, for one that is unreadable."""
        try:
            return self.read(resource, raw)
        except Unreadable as fault:
            meta = raw["metadata"]
            metrics.UNREADABLE.labels(resource.kind).inc()
            self._log_once(
                (resource.kind, str(meta.get("uid")), str(fault)), reasons.EVENT_UNREADABLE, error=str(fault)
            )
            return None

    def _leniently(self, resource: ApiResource, raw: Json, error: ValidationError) -> Resource:
        try:
            found = resource.model.model_validate(raw, extra="ignore")
        except ValidationError as deeper:
            raise Unreadable(_told(resource, raw, deeper)) from deeper
        for fault in error.errors(include_url=False, include_input=False):
            field = ".".join(str(part) for part in fault["loc"] if not isinstance(part, int))
            self._log_once((resource.kind, field), reasons.EVENT_UNKNOWN_FIELD, kind=resource.kind, field=field)
        return found

    def _log_once(self, key: tuple[str, ...], event: str, **values: Any) -> None:
        if key not in self._logged:
            self._logged.add(key)
            logger("operator").warning(event, **values)


def remains_of(resource: ApiResource, raw: Json) -> Resource:
    """What stands for an object that is unreadable, to say that it is gone: its name and version, and nothing else."""
    meta = raw["metadata"]
    return resource.model.model_construct(
        metadata=ObjectMeta.model_construct(
            name=meta["name"], namespace=meta.get("namespace", "default"), resource_version=meta["resourceVersion"]
        )
    )


def _told(resource: ApiResource, raw: Json, error: ValidationError) -> str:
    meta, first = raw["metadata"], error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    return (
        f"{resource.kind.lower()}/{meta.get('name')} (namespace {meta.get('namespace')}): {field}: {first['msg']} "
        f"(found {str(first['input'])[:200]!r}); correct it with: kubectl edit {resource.full_name} {meta.get('name')} "
        f"-n {meta.get('namespace')}"
    )
