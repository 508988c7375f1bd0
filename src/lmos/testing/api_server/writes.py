"""Creates, updates, applies and deletions: what is stored for what was sent.

`ApiServer` hands requests on to it. Each write is one step: nothing else happens between its reads and its write. All
raise `Refusal` when the real server refuses.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from lmos.clock import Clock, rfc3339
from lmos.testing.api_server.answers import (
    Json,
    Refusal,
    already_exists,
    bad_request,
    cause,
    conflict,
    deleted,
    invalid,
    not_found,
    status,
)
from lmos.testing.api_server.conditions import (
    Target,
    check_deletable,
    check_field_manager,
    check_metadata,
    check_name,
    check_namespace,
    check_same,
    live_object,
)
from lmos.testing.api_server.fields import Misfit
from lmos.testing.api_server.merging import merge_patch
from lmos.testing.api_server.ownership import Owner, Part, owned_part, with_applied, with_updated
from lmos.testing.api_server.schemas import check, without_unknown
from lmos.testing.api_server.served import Served
from lmos.testing.api_server.storage import Key, Storage

__all__ = ["NAMESPACE", "Writes"]

NAMESPACE: Final = "Namespace"
_OF_SERVER: Final = ("uid", "creationTimestamp", "generation", "deletionTimestamp", "deletionGracePeriodSeconds")


class Writes:
    """Writes to `storage`. `clock` gives timestamps and uids; `orphaned` is called when there may be garbage."""

    def __init__(self, storage: Storage, clock: Clock, orphaned: Callable[[], None]) -> None:
        self._storage = storage
        self._clock = clock
        self._orphaned = orphaned

    def create(self, target: Target, body: Json, manager: str) -> Json:
        """The stored object, of a name that nobody has."""
        served, meta = target.served, check_metadata(target, body)
        name = meta.get("name") or (meta["generateName"] + self._clock.new_id()[-5:] if "generateName" in meta else "")
        if meta.get("resourceVersion"):
            raise Refusal(status(500, "resourceVersion should not be set on objects to be created"))
        key = Key(target.key.namespace, name)
        self._check_namespace(served, key)
        check_name(served, name)
        if key in target.collection.objects:
            raise already_exists(served, name)
        found = with_updated(served, None, self._new(served, key, body), self._owner(manager, "Update", target.part))
        return self._stored(target, key, None, found)

    def replace(self, target: Target, body: Json, manager: str) -> Json:
        """The object after a PUT."""
        served, meta, live = target.served, check_metadata(target, body), live_object(target)
        if not meta.get("resourceVersion") and served.strict:
            said = "Invalid value: 0: must be specified for an update"
            why = cause("FieldValueInvalid", said, "metadata.resourceVersion")
            raise invalid(served, target.key.name, [why], kind=served.plural)
        return self._updated(target, live, body, manager, patched=False)

    def merge(self, target: Target, patch: Json, manager: str) -> tuple[Json, list[str]]:
        """The object after an RFC 7386 patch, and the paths of unknown fields in it."""
        live = live_object(target)
        found, unknown = without_unknown(target.served, merge_patch(live, patch))
        return self._updated(target, live, found, manager, patched=True), unknown

    def apply(self, target: Target, body: Json, manager: str, *, force: bool) -> tuple[Json, bool]:
        """The object after server-side apply, and whether it is new."""
        served, key = target.served, target.key
        check_field_manager(manager)
        meta = check_metadata(target, body)
        if "managedFields" in meta:
            raise bad_request("metadata.managedFields must be nil")
        live = target.collection.objects.get(key)
        if live is None and target.part:
            raise not_found(served, key.name)
        if live is None and (uid := meta.get("uid")):
            why = f"uid mismatch: the provided object specified uid {uid}, and no existing object was found"
            raise conflict(served, key.name, why)
        if live is None:
            check_name(served, key.name)
            self._check_namespace(served, key)
        bare: Json = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": {}}
        base = self._new(served, key, bare) if live is None else live
        owner = self._owner(manager, "Apply", target.part)
        try:
            found = with_applied(served, base, owned_part(served, body, target.part), owner, force=force)
        except Misfit as error:
            what = f"{meta.get('namespace', '')}/{key.name}; {served.api_version}, Kind={served.kind}"
            raise Refusal(status(500, f"failed to create typed patch object ({what}): {error}")) from error
        if live is not None:
            check_same(target, live, meta, patched=True)
        return self._stored(target, key, live, found), live is None

    def delete(self, target: Target, options: Json) -> Json:
        """What tells of the deletion; the object where others have to agree to it first."""
        live = live_object(target)
        check_deletable(target, live, options.get("preconditions") or {})
        policy = options.get("propagationPolicy", "Background")
        if policy != "Background" or options.get("orphanDependents"):
            raise NotImplementedError(f"the simulated API server deletes in the background, not by {policy!r}")
        if target.served.kind == NAMESPACE or live["metadata"].get("finalizers"):
            return self._marked(target, live)
        self.remove(target)
        return deleted(target.served, target.key.name, live["metadata"]["uid"])

    def remove(self, target: Target) -> None:
        """Delete an object that is there, whoever waits for what."""
        self._storage.delete(target.served, target.key)
        self._orphaned()

    def disown(self, target: Target, live: Json, uids: set[str], manager: str) -> None:
        """Take owners from an object."""
        owners = [owner for owner in live["metadata"]["ownerReferences"] if owner["uid"] not in uids]
        self._updated(target, live, live | {"metadata": live["metadata"] | {"ownerReferences": owners}}, manager)

    def _marked(self, target: Target, live: Json) -> Json:
        meta = live["metadata"]
        if "deletionTimestamp" in meta:
            return live
        meta = meta | {"deletionTimestamp": rfc3339(self._clock.now()), "deletionGracePeriodSeconds": 0}
        if target.served.has_generation:
            meta["generation"] += 1
        found = live | {"metadata": meta}
        if target.served.kind == NAMESPACE:
            found["status"] = {"phase": "Terminating"}
        stored = self._storage.put(target.served, target.key, found)
        self._orphaned()
        return stored

    def _owner(self, manager: str, operation: Literal["Apply", "Update"], part: Part) -> Owner:
        return Owner(manager, operation, part, rfc3339(self._clock.now()))

    def _new(self, served: Served, key: Key, body: Json) -> Json:
        given: Json = body.get("metadata") or {}
        meta = {name: value for name, value in given.items() if name not in (*_OF_SERVER, "managedFields")}
        meta |= {"name": key.name, "uid": self._clock.new_id(), "creationTimestamp": rfc3339(self._clock.now())}
        if served.namespaced:
            meta["namespace"] = key.namespace
        if served.has_generation:
            meta["generation"] = 1
        found = {name: value for name, value in body.items() if name != "status" or not served.has_status}
        if served.kind == NAMESPACE:
            found["status"] = {"phase": "Active"}
        return found | {"metadata": meta}

    def _updated(self, target: Target, live: Json, found: Json, manager: str, *, patched: bool = True) -> Json:
        served, part = target.served, target.part
        meta: Json = found.get("metadata") or {}
        check_same(target, live, meta, patched=patched)
        if part:
            found = {name: value for name, value in live.items() if name != part} | owned_part(served, found, part)
        else:
            fixed = ("name", "namespace", "resourceVersion", *_OF_SERVER)
            kept = {name: live["metadata"][name] for name in fixed if name in live["metadata"]}
            meta = {k: v for k, v in meta.items() if k not in (*fixed, "managedFields") and v not in ({}, [])} | kept
            found = {name: value for name, value in found.items() if name != "status" or not served.has_status}
            found |= {"metadata": meta}
            if served.has_status and "status" in live:
                found["status"] = live["status"]
        found = with_updated(served, live, found, self._owner(manager, "Update", part))
        return self._stored(target, target.key, live, found)

    def _stored(self, target: Target, key: Key, live: Json | None, found: Json) -> Json:
        """Check and store `found`, unless it says what `live` says."""
        served = target.served
        if found is live:
            return found
        meta = {name: value for name, value in found["metadata"].items() if value not in ({}, [], None)}
        found = found | {"metadata": meta}
        if live is not None:
            if served.has_generation and not _same_desire(served, live, found):
                meta["generation"] = live["metadata"]["generation"] + 1
            if _untimed(live) == _untimed(found):
                return live
        check(served, found)
        if "deletionTimestamp" in meta and "finalizers" not in meta and served.kind != NAMESPACE:
            self._storage.delete(served, key)
            self._orphaned()
            return found
        stored = self._storage.put(served, key, found)
        if "ownerReferences" in meta:
            self._orphaned()  # its owners may have gone before it came
        return stored

    def _check_namespace(self, served: Served, key: Key) -> None:
        if served.namespaced:
            check_namespace(served, key.name, key.namespace, self._storage.namespace(key.namespace))


def _same_desire(served: Served, old: Json, new: Json) -> bool:
    """Whether nothing differs but metadata and status."""
    hidden = ("metadata", "status" if served.has_status else "")
    return {k: v for k, v in old.items() if k not in hidden} == {k: v for k, v in new.items() if k not in hidden}


def _untimed(found: Json) -> Json:
    """Without the times of `managedFields`, which are no reason to write."""
    entries = found["metadata"].get("managedFields", ())
    untimed = [{name: value for name, value in entry.items() if name != "time"} for entry in entries]
    return found | {"metadata": found["metadata"] | {"managedFields": untimed}}
