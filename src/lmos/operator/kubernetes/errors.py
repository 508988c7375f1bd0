"""What an API server's refusal means, and what to do about it. `Client` raises these; nothing here is sent or retried.

StoreError
├── Refused                 the server has answered: `refusal` says what
│   ├── Stale               409, a `Conflict`: the object has moved on
│   ├── AlreadyExists       409 of a create, a `Conflict`
│   ├── FieldConflict       409 of an apply without force, a `Conflict`
│   ├── Terminating         403, a `Conflict`: the namespace is being deleted
│   ├── Missing             404 of an object, a `NotFound`
│   ├── Expired             410, a `ResourceExpired`: a version or a continue token
│   ├── NotServed           404 of a whole resource: its CRD is not installed
│   ├── Denied              an admission webhook or policy says no
│   ├── Forbidden           403: RBAC
│   ├── Unauthorized        401
│   ├── Invalid             400, 422: the same request would fail again
│   └── Unavailable         429, 5xx, after all retries
└── TransportError          no answer; whether the request took effect is not known
    ├── TooSlow             not within the time that it may take
    └── Unreachable         no connection: it took none
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

import orjson

from lmos.operator.base import Conflict, NotFound, ResourceExpired, StoreError
from lmos.resources.base import GROUP

__all__ = [
    "AlreadyExists",
    "Cause",
    "Denied",
    "Expired",
    "FieldConflict",
    "Forbidden",
    "Invalid",
    "Missing",
    "NotServed",
    "Refusal",
    "Refused",
    "Stale",
    "Terminating",
    "Unauthorized",
    "Unavailable",
    "error_of",
]

# A server-side apply that does not fit the schema is answered with 500, without a reason, and in vain tried again.
_MISFIT: Final = "failed to create typed patch object"
# A webhook may answer with any code, and there is no field that tells its refusals from the server's own.
_DENIED: Final = re.compile(r"""^admission webhook "|ValidatingAdmissionPolicy '| denied (?:the )?request""")
_SHOWN: Final = 500


@dataclass(frozen=True, slots=True)
class Cause:
    """One reason among several; `field` is a path as `.spec.description`."""

    reason: str
    field: str
    message: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """A `Status` object of the API server, or what is known without one (`is_status` is false then)."""

    code: int
    message: str
    reason: str = ""
    causes: tuple[Cause, ...] = ()
    kind: str = ""
    """The resource or kind that it is about."""
    retry_after: float | None = None
    """Seconds to wait before another attempt."""
    is_status: bool = True

    @classmethod
    def of_body(cls, code: int, body: bytes) -> Refusal:
        """The refusal in the body of a response."""
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError:
            data = None
        if isinstance(data, dict) and data.get("kind") == "Status":  # pyright: ignore[reportUnknownMemberType]
            return cls.of_status(data, code)  # pyright: ignore[reportUnknownArgumentType]
        text = " ".join(body[:_SHOWN].decode(errors="replace").split())
        return cls(code, text or "(no text)", is_status=False)

    @classmethod
    def of_status(cls, status: dict[str, Any], code: int = 500) -> Refusal:
        """The refusal in a `Status`, as a watch tells it too."""
        details: dict[str, Any] = status.get("details") or {}
        causes: list[dict[str, str]] = details.get("causes") or []
        return cls(
            code=int(status.get("code") or code),
            message=str(status.get("message") or "(no message)"),
            reason=str(status.get("reason") or ""),
            causes=tuple(Cause(c.get("reason", ""), c.get("field", ""), c.get("message", "")) for c in causes),
            kind=str(details.get("kind") or ""),
            retry_after=details.get("retryAfterSeconds"),
        )

    @property
    def for_good(self) -> bool:
        """Whether a 5xx would come again however often it was tried."""
        return self.message.startswith(_MISFIT) or self.denied

    @property
    def denied(self) -> bool:
        """Whether an admission webhook or policy has said no, rather than the API server itself."""
        return _DENIED.search(self.message) is not None

    def has(self, reason: str) -> bool:
        """Whether a cause has this reason."""
        return any(cause.reason == reason for cause in self.causes)


class Refused(StoreError):
    """The server has answered, and refuses."""

    def __init__(self, message: str, refusal: Refusal) -> None:
        super().__init__(message)
        self.refusal = refusal


class Stale(Refused, Conflict):
    """The object has moved on."""


class AlreadyExists(Refused, Conflict):
    """There is an object of that name already."""


class FieldConflict(Refused, Conflict):
    """Another field manager owns a field that was to change; a cause for each."""


class Terminating(Refused, Conflict):
    """The namespace is being deleted and takes nothing new."""


class Missing(Refused, NotFound):
    """There is no such object, or no such namespace."""


class Expired(Refused, ResourceExpired):
    """The version, or the continue token of a list, is too old."""


class NotServed(Refused):
    """The server does not know the resource."""


class Denied(Refused):
    """An admission webhook or policy says no. The message is its own."""


class Forbidden(Refused):
    """The user may not do this."""


class Unauthorized(Refused):
    """The server does not know the user."""


class Invalid(Refused):
    """The server refuses what was sent; a cause for each field, if it knows."""


class Unavailable(Refused):
    """The server cannot do it now."""


def error_of(refusal: Refusal, method: str, path: str) -> Refused:
    """The error to raise when the server has refused `method` on `path`."""
    request, said = f"{method} {path}", refusal.message
    if refusal.denied:
        return Denied(said, refusal)
    match refusal.code:
        case 401:
            fix = "renew those of the kubeconfig's user, or mount the ServiceAccount's token"
            return Unauthorized(f"{request}: the API server does not accept these credentials ({said}); {fix}", refusal)
        case 403:
            return _forbidden(refusal, request)
        case 404:
            return _missing(refusal, request, path)
        case 409:
            return _conflict(refusal)
        case 410:
            return Expired(f"{said}; list again", refusal)
        case 429:
            return Unavailable(f"{request}: the API server is too busy ({said}); try again later", refusal)
        case code if code >= 500 and not refusal.for_good:
            return Unavailable(f"{request}: the API server answers {code} ({said}); try again later", refusal)
        case _:
            return _invalid(refusal, request)


def _forbidden(refusal: Refusal, request: str) -> Refused:
    said = refusal.message
    if refusal.has("NamespaceTerminating"):
        return Terminating(f"{said}; wait until it is gone and create it again", refusal)
    needed = re.search(r'cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?', said)
    if needed is None:
        return Forbidden(f"{request}: {said}; ask whoever runs the cluster to allow it", refusal)
    verb, resource, group = needed.groups()
    fix = f"grant the verb {verb!r} on {resource!r} of the API group {group or ''!r} in the user's ClusterRole or Role"
    return Forbidden(f"{said}; {fix}", refusal)


def _missing(refusal: Refusal, request: str, path: str) -> Refused:
    said = refusal.message
    if not refusal.is_status:
        if f"/apis/{GROUP}/" in path:
            fix = "install the CustomResourceDefinitions: lmos crds | kubectl apply --server-side -f -"
        else:
            fix = "install the CustomResourceDefinition of that API group, or switch off what needs it"
        return NotServed(f"{request}: the API server does not serve this resource ({said}); {fix}", refusal)
    if refusal.kind == "namespaces":
        name = path.partition("/namespaces/")[2].partition("/")[0]
        return Missing(f"{said}; create it: kubectl create namespace {name}", refusal)
    return Missing(said, refusal)


def _conflict(refusal: Refusal) -> Refused:
    said = refusal.message
    if refusal.reason == "AlreadyExists":
        return AlreadyExists(f"{said}; read it and retry", refusal)
    if refusal.has("FieldManagerConflict"):
        return FieldConflict(f"{said}; take the fields over by force, or leave them out", refusal)
    return Stale(f"{said}; read it and retry", refusal)


def _invalid(refusal: Refusal, request: str) -> Refused:
    if "field not declared in schema" in refusal.message:
        fix = "the installed CRD is of another version: lmos crds | kubectl apply --server-side -f -"
    else:
        fix = "correct the object"
    return Invalid(f"{request}: the API server refuses it ({refusal.code}): {refusal.message}; {fix}", refusal)
