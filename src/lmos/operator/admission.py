"""The admission webhook: Kubernetes asks it about each write to our kinds, before it is done (AdmissionReview v1).

`lmos operator` serves it where it is asked for. This module speaks the wire; `guard.py` judges. What cannot be judged
(the caches are not filled, too much would have to be planned) is answered with 503: the webhook's failure policy, which
the cluster's administrator chose, decides then.
"""

from __future__ import annotations

from typing import Any, Final, Literal

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from lmos.operator import metrics, reasons
from lmos.operator.guard import ALLOWED, Change, Guard, Undecided, Verdict
from lmos.resources.base import GROUP, Resource
from lmos.resources.kinds import KINDS
from lmos.telemetry.logs import logger

__all__ = ["PATH", "admission_app"]

PATH: Final = "/admission/plan"

_API_VERSION: Final = "admission.k8s.io/v1"
_MODELS: Final = {kind.kind: kind.model for kind in KINDS}
# Two objects of the 1.5 MiB that etcd takes, escaped, and room beside them.
_MAX_BODY: Final = 8 * 1024 * 1024

Json = dict[str, Any]

_log = logger("operator")


class _Wire(BaseModel):
    """Kubernetes may add fields to what it sends."""

    model_config = ConfigDict(frozen=True, extra="ignore", alias_generator=to_camel)


class _Kind(_Wire):
    group: str = ""
    kind: str


class _User(_Wire):
    username: str = ""


class _Asked(_Wire):
    """What a review asks. A new object may have no name yet; `object` is what it will be."""

    uid: str
    kind: _Kind
    operation: str
    sub_resource: str = ""
    name: str = ""
    namespace: str = ""
    user_info: _User = Field(default_factory=_User)
    object: Json | None = None
    old_object: Json | None = None

    @property
    def model(self) -> type[Resource] | None:
        """The model of the object's kind, if it is ours and the object itself is written."""
        ours = self.kind.group == GROUP and not self.sub_resource and self.operation in ("CREATE", "UPDATE", "DELETE")
        return _MODELS.get(self.kind.kind) if ours else None


class _Review(_Wire):
    api_version: Literal["admission.k8s.io/v1"]
    request: _Asked


class _Unreadable(Exception):
    """An object has fields that this version does not know; the schema of a newer one let it pass."""


def admission_app(guard: Guard) -> Starlette:
    """Answers at `PATH`."""

    async def review(request: Request) -> Response:
        body = await _body(request)
        if body is None:
            return PlainTextResponse(f"the review is larger than {_MAX_BODY} bytes", 413)
        try:
            asked = _Review.model_validate_json(body).request
        except ValidationError as error:
            return PlainTextResponse(f"this is no AdmissionReview of {_API_VERSION}: {_first(error)}", 400)
        try:
            verdict = await _judge(guard, asked)
        except Undecided as error:
            metrics.ADMISSION_REVIEWS.labels(_kind(asked), metrics.RESULT_FAILED).inc()
            _log.warning(reasons.EVENT_ADMISSION_FAILED, **_about(asked), reason=str(error))
            return PlainTextResponse(str(error), 503)
        _note(asked, verdict)
        return Response(orjson.dumps(_answer(asked, verdict)), media_type="application/json")

    return Starlette(routes=[Route(PATH, review, methods=["POST"])])


async def _body(request: Request) -> bytes | None:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > _MAX_BODY:
            return None
    return bytes(body)


async def _judge(guard: Guard, asked: _Asked) -> Verdict:
    if asked.model is None:
        return ALLOWED
    try:
        old, new = (_read(asked.model, data, asked) for data in (asked.old_object, asked.object))
    except _Unreadable as error:
        return Verdict(True, warnings=(f"not checked: {error}",))
    return ALLOWED if old is None and new is None else await guard.judge(Change(old, new, asked.user_info.username))


def _read(model: type[Resource], data: Json | None, asked: _Asked) -> Resource | None:
    """The object; one that is not named yet, by `generateName`, gets a stand-in."""
    if data is None:
        return None
    metadata: Json = {k: v for k, v in data.get("metadata", {}).items() if k != "managedFields"}
    metadata.setdefault("name", asked.name or f"{metadata.get('generateName', '')}new")
    metadata.setdefault("namespace", asked.namespace)
    try:
        return model.model_validate(data | {"metadata": metadata}, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _Unreadable(f"this version of the operator cannot read {_first(error)}") from error


def _first(error: ValidationError) -> str:
    """`field: what is wrong with it`, of the first of its faults."""
    fault = error.errors(include_url=False, include_input=False)[0]
    return ": ".join(filter(None, (".".join(map(str, fault["loc"])), fault["msg"])))


def _answer(asked: _Asked, verdict: Verdict) -> Json:
    response: Json = {"uid": asked.uid, "allowed": verdict.allowed}
    if not verdict.allowed:
        response["status"] = _status(asked, verdict)
    if verdict.warnings:
        response["warnings"] = list(verdict.warnings)
    return {"apiVersion": _API_VERSION, "kind": "AdmissionReview", "response": response}


def _status(asked: _Asked, verdict: Verdict) -> Json:
    """As the API server itself refuses: 422 for values, with a cause for each field; 403 for what must not be."""
    if not verdict.problems:
        return {"code": 403, "reason": "Forbidden", "message": verdict.message}
    causes = [
        {"reason": "FieldValueInvalid", "field": problem.field, "message": f"{problem.message}; {problem.fix}"}
        for problem in verdict.problems
    ]
    details = {"name": asked.name, "group": GROUP, "kind": asked.kind.kind, "causes": causes}
    return {"code": 422, "reason": "Invalid", "message": verdict.message, "details": details}


def _note(asked: _Asked, verdict: Verdict) -> None:
    result = metrics.RESULT_ALLOWED if verdict.allowed else metrics.RESULT_DENIED
    if verdict.allowed and verdict.warnings:
        result = metrics.RESULT_WARNED
    metrics.ADMISSION_REVIEWS.labels(_kind(asked), result).inc()
    if not verdict.allowed:
        about = _about(asked)
        _log.info(reasons.EVENT_ADMISSION_DENIED, **about, user=asked.user_info.username, reason=verdict.message)


def _about(asked: _Asked) -> dict[str, str]:
    return {"kind": asked.kind.kind, "namespace": asked.namespace, "object": asked.name}


def _kind(asked: _Asked) -> str:
    """A label of metrics: what strangers send must not become one."""
    return asked.kind.kind if asked.kind.kind in _MODELS else ""
