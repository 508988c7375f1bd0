"""What an API server answers when it refuses: `Status` objects in the words of the real one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson

from lmos.operator.kubernetes.transport import Answer
from lmos.testing.api_server.served import Served

__all__ = [
    "Json",
    "Refusal",
    "already_exists",
    "bad_request",
    "cause",
    "conflict",
    "deleted",
    "expired",
    "forbidden",
    "invalid",
    "json_answer",
    "not_found",
    "not_served",
    "stale",
    "status",
]

Json = dict[str, Any]


class Refusal(Exception):
    """The request ends with this `Status`; `reply` is the whole answer."""

    def __init__(self, body: Json) -> None:
        super().__init__(body["message"])
        self.body = body

    @property
    def reply(self) -> Answer:
        return json_answer(self.body, self.body["code"])


def json_answer(body: Json, code: int = 200, *, warnings: Sequence[str] = ()) -> Answer:
    """A whole answer with `body`; each warning as the real server quotes it."""
    headers = {"content-type": "application/json"}
    if warnings:
        quoted = (text.replace("\\", "\\\\").replace('"', '\\"') for text in warnings)
        headers["warning"] = ", ".join(f'299 - "{text}"' for text in quoted)
    return Answer(code, orjson.dumps(body), headers)


def not_served() -> Answer:
    """Of a path that leads nowhere, as that of a kind whose definition is not installed."""
    return Answer(404, b"404 page not found\n", {"content-type": "text/plain; charset=utf-8"})


def status(code: int, message: str, reason: str = "", **details: Any) -> Json:
    """A `Status` that tells of a failure; `details` are left out where there are none."""
    body: Json = {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message}
    if reason:
        body["reason"] = reason
    if details:
        body["details"] = details
    return body | {"code": code}


def deleted(served: Served, name: str, uid: str) -> Json:
    """What tells of a deletion that went well."""
    details = _about(served, name) | {"uid": uid}
    return {"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "details": details}


def cause(reason: str, message: str, field: str) -> Json:
    return {"reason": reason, "message": message, "field": field}


def not_found(served: Served, name: str) -> Refusal:
    return Refusal(status(404, f'{served.resource} "{name}" not found', "NotFound", **_about(served, name)))


def already_exists(served: Served, name: str) -> Refusal:
    return Refusal(status(409, f'{served.resource} "{name}" already exists', "AlreadyExists", **_about(served, name)))


def stale(served: Served, name: str) -> Refusal:
    """The resource version of the request is not that of the object."""
    why = "the object has been modified; please apply your changes to the latest version and try again"
    return conflict(served, name, why)


def conflict(served: Served, name: str, why: str, *, kind: str | None = None) -> Refusal:
    """`kind` in place of the resource's plural, as deletions call it."""
    about = served.resource if kind is None else served.named(kind)
    details = _about(served, name) | {"kind": kind or served.plural}
    return Refusal(status(409, f'Operation cannot be fulfilled on {about} "{name}": {why}', "Conflict", **details))


def forbidden(served: Served, what: tuple[str, str, str], user: str, verb: str) -> Refusal:
    """`what` is namespace, name and subresource, empty where there are none."""
    namespace, name, part = what
    resource = f"{served.plural}/{part}" if part else served.plural
    where = f'in the namespace "{namespace}"' if namespace else "at the cluster scope"
    about = f'{served.resource} "{name}"' if name else served.resource
    message = (
        f'{about} is forbidden: User "{user}" cannot {verb} resource "{resource}" in API group "{served.group}" {where}'
    )
    return Refusal(status(403, message, "Forbidden", **_about(served, name or None)))


def bad_request(message: str) -> Refusal:
    return Refusal(status(400, message, "BadRequest"))


def invalid(served: Served, name: str, causes: Sequence[Json], *, kind: str | None = None) -> Refusal:
    """The object, or what was to become of it, breaks rules; each cause names one field."""
    told = [f"{c['field']}: {c['message']}" for c in causes]
    words = told[0] if len(set(told)) == 1 else f"[{', '.join(told)}]"
    about = served.named(kind or served.kind)
    details = _about(served, name) | {"kind": kind or served.kind, "causes": list(causes)}
    return Refusal(status(422, f'{about} "{name}" is invalid: {words}', "Invalid", **details))


def expired(message: str) -> Refusal:
    return Refusal(status(410, message, "Expired"))


def _about(served: Served, name: str | None) -> Json:
    details: Json = {} if name is None else {"name": name}
    if served.group:
        details["group"] = served.group
    return details | {"kind": served.plural}
