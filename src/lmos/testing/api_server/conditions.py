"""What has to hold for a write: the names and versions that it was given, and the state of its namespace.

`Writes` asks before it changes anything. Everything here raises a `Refusal` or does nothing.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final, cast

from lmos.testing.api_server.answers import (
    Json,
    Refusal,
    bad_request,
    cause,
    conflict,
    invalid,
    not_found,
    stale,
    status,
)
from lmos.testing.api_server.ownership import Part
from lmos.testing.api_server.served import Served
from lmos.testing.api_server.storage import Collection, Key

__all__ = [
    "Target",
    "check_deletable",
    "check_field_manager",
    "check_metadata",
    "check_name",
    "check_namespace",
    "check_same",
    "live_object",
]

_NAME: Final = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*")
_BAD_NAME: Final = (
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start "
    "and end with an alphanumeric character (e.g. 'example.com', regex used for validation is "
    r"'[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
)


@dataclass(frozen=True, slots=True)
class Target:
    """What a request is about; the name is empty for a whole collection."""

    served: Served
    collection: Collection
    key: Key
    part: Part = ""


def check_metadata(target: Target, body: Json) -> Json:
    """The metadata of what was sent, which must be of the kind and name that the path says."""
    served, key = target.served, target.key
    if "kind" not in body or "apiVersion" not in body:
        raise bad_request("Object 'Kind' is missing in '{}'")
    if body["kind"] != served.kind:
        why = cause("FieldValueInvalid", f'Invalid value: "{body["kind"]}": must be {served.kind}', "kind")
        meta: Json = body.get("metadata") or {}
        raise invalid(served, meta.get("name", ""), [why], kind=body["kind"])
    if body["apiVersion"] != served.api_version:
        raise bad_request(
            f"the API version in the data ({body['apiVersion']}) does not match the expected API version "
            f"({served.api_version})"
        )
    meta = cast("Json", body.get("metadata") or {})
    namespace, name = meta.get("namespace", key.namespace), meta.get("name", key.name)
    if namespace != key.namespace:
        raise bad_request("the namespace of the provided object does not match the namespace sent on the request")
    if key.name and name != key.name:
        raise bad_request(f"the name of the object ({name}) does not match the name on the URL ({key.name})")
    return meta


def check_name(served: Served, name: str) -> None:
    """Of a new object."""
    if not name:
        said = "Required value: name or generateName is required"
        raise invalid(served, "", [cause("FieldValueRequired", said, "metadata.name")])
    if not _NAME.fullmatch(name):
        said = f'Invalid value: "{name}": {_BAD_NAME}'
        raise invalid(served, name, [cause("FieldValueInvalid", said, "metadata.name")])


def check_field_manager(manager: str) -> None:
    """Who applies says who it is."""
    if not manager:
        said = "Required value: is required for apply patch"
        raise Refusal(
            status(
                422,
                f'PatchOptions.meta.k8s.io "" is invalid: fieldManager: {said}',
                "Invalid",
                group="meta.k8s.io",
                kind="PatchOptions",
                causes=[cause("FieldValueRequired", said, "fieldManager")],
            )
        )


def check_namespace(served: Served, name: str, namespace: str, found: Json | None) -> None:
    """Something new needs a namespace that is there, and is to stay. `found` is that namespace."""
    if found is None:
        details = {"name": namespace, "kind": "namespaces"}
        raise Refusal(status(404, f'namespaces "{namespace}" not found', "NotFound", **details))
    if "deletionTimestamp" in found["metadata"]:
        message = (
            f'{served.resource} "{name}" is forbidden: unable to create new content in namespace {namespace} because '
            "it is being terminated"
        )
        why = cause("NamespaceTerminating", f"namespace {namespace} is being terminated", "metadata.namespace")
        details: dict[str, Any] = {"name": name, "group": served.group, "kind": served.plural, "causes": [why]}
        raise Refusal(status(403, message, "Forbidden", **details))


def check_same(target: Target, live: Json, meta: Json, *, patched: bool) -> None:
    """A uid and a version that were sent are those of the object `live`."""
    served, name, known = target.served, target.key.name, live["metadata"]
    uid, version = meta.get("uid"), meta.get("resourceVersion")
    if uid and uid != known["uid"] and not patched:
        where = f"/registry/{served.group}/{served.plural}/{target.key.namespace}/{name}"
        why = (
            f"StorageError: invalid object, Code: 4, Key: {where}, ResourceVersion: 0, AdditionalErrorMsg: "
            f"Precondition failed: UID in precondition: {uid}, UID in object meta: {known['uid']}"
        )
        raise conflict(served, name, why)
    if version and version != known["resourceVersion"]:
        raise stale(served, name)
    if uid and uid != known["uid"]:
        why = cause("FieldValueInvalid", f'Invalid value: "{uid}": field is immutable', "metadata.uid")
        raise invalid(served, name, [why, why])


def check_deletable(target: Target, live: Json, conditions: Json) -> None:
    """The `preconditions` of a deletion hold."""
    served, name, known = target.served, target.key.name, live["metadata"]
    uid, version = conditions.get("uid"), conditions.get("resourceVersion")
    if uid and uid != known["uid"]:
        why = (
            f"the UID in the precondition ({uid}) does not match the UID in record ({known['uid']}). The object might "
            "have been deleted and then recreated"
        )
        raise conflict(served, name, why, kind=served.kind)
    if version and version != known["resourceVersion"]:
        why = (
            f"the ResourceVersion in the precondition ({version}) does not match the ResourceVersion in record "
            f"({known['resourceVersion']}). The object might have been modified"
        )
        raise conflict(served, name, why, kind=served.kind)


def live_object(target: Target) -> Json:
    """The object as it is."""
    live = target.collection.objects.get(target.key)
    if live is None:
        raise not_found(target.served, target.key.name)
    return live
