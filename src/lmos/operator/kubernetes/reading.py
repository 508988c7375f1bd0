"""Objects as the API server sends them, read into models, whatever state they are in.

`KubernetesStore` uses it. An API server holds what other versions of LMOS, other programs and people have written, and
one object that cannot be read must not hide the others:

- A field that a model does not know is left out, as Kubernetes asks of its clients: the CRD may be newer than we are.
  Of foreign kinds, models know but a few fields.
- An object that lacks something, or holds what a model refuses, counts as absent: nothing can be derived from it.

Both are told, by default in the log, once. Manifests, which people write for this version, are read strictly elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from lmos.operator import metrics, reasons
from lmos.operator.base import StoreError
from lmos.operator.kubernetes.client import Json
from lmos.operator.kubernetes.compact import Pool
from lmos.operator.kubernetes.kinds import ApiResource
from lmos.resources.base import ObjectMeta, Resource
from lmos.telemetry.logs import logger

__all__ = ["OnUnreadable", "Reader", "Unreadable", "remains_of"]

_UNKNOWN: Final = "extra_forbidden"
_SHOWN: Final = 200
_AWAITED: Final = 1000
"""So many answers of writes are kept until the watch tells of them."""


class Unreadable(StoreError):
    """An object that its model refuses, because of `field`; the message names it, and the fix."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


OnUnreadable = Callable[[str, Json, Unreadable], None]
"""Gets the kind, the object without `managedFields`, and what is wrong with it."""


class Reader:
    """Reads objects of any kind. It takes apart what it is given: give it data that nobody else uses.

    `on_unreadable` gets each object that counts as absent, each time; without, it is logged once.
    """

    def __init__(self, on_unreadable: OnUnreadable | None = None) -> None:
        self._on_unreadable = on_unreadable or self._log_unreadable
        self._pool = Pool()
        self._written: dict[str, Resource] = {}
        self._logged: set[tuple[str, ...]] = set()

    def read(self, resource: ApiResource, raw: Json) -> Resource:
        """The object. Raises `Unreadable`."""
        # A third of an object's size, and nothing that we look at.
        raw["metadata"].pop("managedFields", None)
        try:
            found = resource.model.model_validate(raw, extra=None if resource.writable else "ignore")
        except ValidationError as error:
            found = self._leniently(resource, raw, error)
        return self._pool.compact(found)

    def read_written(self, resource: ApiResource, raw: Json) -> Resource:
        """The object as a write has left it. Raises `Unreadable`."""
        found = self.read(resource, raw)
        if len(self._written) >= _AWAITED:
            self._written.clear()
        self._written[raw["metadata"]["uid"]] = found
        return found

    def read_if_possible(self, resource: ApiResource, raw: Json) -> Resource | None:
        """The object; `None` for one that is unreadable, which is told."""
        # A watch tells of our own writes too: what was read of the answer is the same.
        known = self._written.pop(raw["metadata"].get("uid", ""), None)
        if known is not None and known.metadata.resource_version == raw["metadata"]["resourceVersion"]:
            return known
        try:
            return self.read(resource, raw)
        except Unreadable as fault:
            metrics.UNREADABLE.labels(resource.kind).inc()
            self._on_unreadable(resource.kind, raw, fault)
            return None

    def _leniently(self, resource: ApiResource, raw: Json, error: ValidationError) -> Resource:
        """Read again without the fields that the model does not know, if these were all that was wrong."""
        faults = error.errors(include_url=False)
        wrong = [fault for fault in faults if fault["type"] != _UNKNOWN]
        if wrong:
            raise _unreadable(resource, raw, wrong[0]) from error
        found = resource.model.model_validate(raw, extra="ignore")
        for fault in faults:
            field = _path(part for part in fault["loc"] if not isinstance(part, int))
            if self._first((resource.kind, field)):
                logger("operator").warning(reasons.EVENT_UNKNOWN_FIELD, kind=resource.kind, field=field)
        return found

    def _log_unreadable(self, kind: str, raw: Json, fault: Unreadable) -> None:
        meta = raw["metadata"]
        if self._first((kind, str(meta.get("uid")), fault.field)):
            logger("operator").warning(
                reasons.EVENT_UNREADABLE,
                kind=kind,
                namespace=meta.get("namespace"),
                object=meta.get("name"),
                field=fault.field,
                error=str(fault),
            )

    def _first(self, key: tuple[str, ...]) -> bool:
        new = key not in self._logged
        self._logged.add(key)
        return new


def remains_of(resource: ApiResource, raw: Json) -> Resource:
    """What stands for an unreadable object, to say that it is gone: its name and version, and nothing else."""
    meta = raw["metadata"]
    return resource.model.model_construct(
        metadata=ObjectMeta.model_construct(
            name=meta["name"], namespace=meta.get("namespace", "default"), resource_version=meta["resourceVersion"]
        )
    )


def _unreadable(resource: ApiResource, raw: Json, fault: ErrorDetails) -> Unreadable:
    meta, field = raw["metadata"], _path(fault["loc"])
    name, namespace = meta.get("name"), meta.get("namespace")
    return Unreadable(
        f"{resource.kind.lower()}/{name} (namespace {namespace}) cannot be read: {field}: {fault['msg']} (found "
        f"{str(fault['input'])[:_SHOWN]!r}); correct it: kubectl edit {resource.full_name} {name} -n {namespace}",
        field,
    )


def _path(parts: Iterable[str | int]) -> str:
    return ".".join(str(part) for part in parts)
