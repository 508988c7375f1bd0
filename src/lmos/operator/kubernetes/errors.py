"""What an API server's refusal means, and what to do about it. `Client` raises these; nothing here is sent or retried.

StoreError
├── TransportError          no answer; whether the request took effect is not known
│   └── Unreachable         no connection: it took none
├── Conflict                409: the object has moved on
│   ├── AlreadyExists       409 of a create
│   ├── FieldConflict       409 of an apply without force
│   └── Terminating         403: the namespace is being deleted
├── NotFound                404 of an object
├── ResourceExpired         410 of a version or a continue token
├── NotServed               404 of a whole resource: its CRD is not installed
├── Forbidden               403: RBAC
├── Unauthorized            401
├── Invalid                 400, 422: the same request would fail again
└── Unavailable             429, 5xx, after all retries
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
    "FieldConflict",
    "Forbidden",
    "Invalid",
    "NotServed",
    "Refusal",
    "Terminating",
    "Unauthorized",
    "Unavailable",
    "error_of",
]

# A server-side apply that does not fit the schema is answered with 500, without a reason, and in vain tried again.
_MISFIT: Final = "failed to create typed patch object"
_SHOWN: Final = 500


class AlreadyExists(Conflict):
    """There is an object of that name already."""


class FieldConflict(Conflict):
    """Another field manager owns a field that was to change."""


class Terminating(Conflict):
    """The namespace is being deleted and takes nothing new."""


class NotServed(StoreError):
    """The server does not know the resource."""


class Forbidden(StoreError):
    """The user may not do this."""


class Unauthorized(StoreError):
    """The server does not know the user."""


class Invalid(StoreError):
    """The server refuses what was sent."""


class Unavailable(StoreError):
    """The server cannot do it now."""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A `Status` object of the API server, or what is known without one (`is_status` is false then)."""

    code: int
    message: str
    reason: str = ""
    causes: tuple[tuple[str, str], ...] = ()
    """Reason and field of each cause."""
    kind: str = ""
    """The resource or kind that it is about."""
    retry_after: int | None = None
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
            causes=tuple((cause.get("reason", ""), cause.get("field", "")) for cause in causes),
            kind=str(details.get("kind") or ""),
            retry_after=details.get("retryAfterSeconds"),
        )

    @property
    def for_good(self) -> bool:
        """Whether a 5xx would come again however often it was tried."""
        return self.message.startswith(_MISFIT)


def error_of(refusal: Refusal, method: str, path: str) -> StoreError:
    """The error to raise when the server has refused `method` on `path`."""
    request = f"{method} {path}"
    match refusal.code:
        case 401:
            return Unauthorized(
                f"{request}: the API server does not accept these credentials ({refusal.message}); renew those of the "
                "kubeconfig's user, or mount the ServiceAccount's token"
            )
        case 403:
            return _forbidden(refusal, request)
        case 404:
            return _missing(refusal, request, path)
        case 409:
            return _conflict(refusal)
        case 410:
            return ResourceExpired(f"{refusal.message}; list again")
        case 429:
            return Unavailable(f"{request}: the API server is too busy ({refusal.message}); try again later")
        case code if code >= 500 and not refusal.for_good:
            return Unavailable(f"{request}: the API server answers {code} ({refusal.message}); try again later")
        case code:
            return _invalid(refusal, request, code)


def _forbidden(refusal: Refusal, request: str) -> StoreError:
    if any(reason == "NamespaceTerminating" for reason, _ in refusal.causes):
        return Terminating(f"{refusal.message}; wait until it is gone and create it again")
    needed = re.search(r'cannot (\S+) resource "([^"]+)"(?: in API group "([^"]*)")?', refusal.message)
    if needed is None:
        return Forbidden(f"{request}: {refusal.message}; ask whoever runs the cluster to allow it")
    verb, resource, group = needed.groups()
    return Forbidden(
        f"{refusal.message}; grant the verb {verb!r} on the resource {resource!r} of the API group {group or ''!r} in "
        "the user's ClusterRole or Role"
    )


def _missing(refusal: Refusal, request: str, path: str) -> StoreError:
    if not refusal.is_status:
        if f"/apis/{GROUP}/" in path:
            fix = "install the CustomResourceDefinitions: lmos crds | kubectl apply --server-side -f -"
        else:
            fix = "install the CustomResourceDefinition of that API group, or switch off what needs it"
        return NotServed(f"{request}: the API server does not serve this resource ({refusal.message}); {fix}")
    if refusal.kind == "namespaces":
        name = path.partition("/namespaces/")[2].partition("/")[0]
        return NotFound(f"{refusal.message}; create it: kubectl create namespace {name}")
    return NotFound(refusal.message)


def _conflict(refusal: Refusal) -> StoreError:
    if refusal.reason == "AlreadyExists":
        return AlreadyExists(f"{refusal.message}; read it and retry")
    if any(reason == "FieldManagerConflict" for reason, _ in refusal.causes):
        return FieldConflict(f"{refusal.message}; take the fields over by force, or leave them out")
    return Conflict(f"{refusal.message}; read it and retry")


def _invalid(refusal: Refusal, request: str, code: int) -> StoreError:
    if "field not declared in schema" in refusal.message:
        fix = "the installed CRD is of another version: lmos crds | kubectl apply --server-side -f -"
    else:
        fix = "correct the object"
    return Invalid(f"{request}: the API server refuses it ({code}): {refusal.message}; {fix}")
