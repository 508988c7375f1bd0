"""What refusals mean: the class of the error, and the fix in its message."""

from __future__ import annotations

import pytest

from lmos.operator.base import Conflict, NotFound, ResourceExpired
from lmos.operator.kubernetes.errors import (
    AlreadyExists,
    Denied,
    Expired,
    FieldConflict,
    Forbidden,
    Invalid,
    Missing,
    NotServed,
    Refusal,
    Refused,
    Stale,
    Terminating,
    Unauthorized,
    Unavailable,
    error_of,
)
from lmos.operator.kubernetes.transport import Answer
from tests.operator.kubernetes.scripted import status

PATH = "/apis/lmos.eclipse/v1/namespaces/team/agents/a"
NOT_ALLOWED = (
    'agents.lmos.eclipse "a" is forbidden: User "x" cannot patch resource "agents/status" in API group "lmos.eclipse"'
)
CORE = 'services is forbidden: User "x" cannot list resource "services" in API group "" at the cluster scope'
QUOTA = 'agents.lmos.eclipse "a" is forbidden: exceeded quota: agents, used: 9, limited: 9'
WEBHOOK = 'admission webhook "lmos.eclipse" denied the request: channel web would be unresolved'
POLICY = "agents.lmos.eclipse \"a\" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'b' denied request: no"


def told(answer: Answer, path: str = PATH) -> Refused:
    return error_of(Refusal.of_body(answer.status, answer.body), "PATCH", path)


@pytest.mark.parametrize(
    ("answer", "kind", "said"),
    [
        (status(401, "Unauthorized"), Unauthorized, "does not accept these credentials (Unauthorized); renew"),
        (
            status(403, NOT_ALLOWED),
            Forbidden,
            "grant the verb 'patch' on 'agents/status' of the API group 'lmos.eclipse'",
        ),
        (status(403, CORE), Forbidden, "grant the verb 'list' on 'services' of the API group ''"),
        (status(403, QUOTA), Forbidden, "exceeded quota: agents, used: 9, limited: 9; ask whoever runs the cluster"),
        (status(404, 'agents "a" not found', kind="agents"), Missing, 'agents "a" not found'),
        (status(404, "no", kind="namespaces"), Missing, "create it: kubectl create namespace team"),
        (Answer(404, b"404 page not found\n"), NotServed, "lmos crds | kubectl apply"),
        (status(409, "modified", "Conflict"), Stale, "modified; read it and retry"),
        (status(409, "exists", "AlreadyExists"), AlreadyExists, "exists; read it and retry"),
        (status(409, "c", causes=[{"reason": "FieldManagerConflict"}]), FieldConflict, "take the fields over by force"),
        (status(403, "going", causes=[{"reason": "NamespaceTerminating"}]), Terminating, "wait until it is gone"),
        (status(410, "too old", "Expired"), Expired, "too old; list again"),
        (
            status(422, "spec.x: Required value", "Invalid"),
            Invalid,
            "refuses it (422): spec.x: Required value; correct",
        ),
        (status(429, "busy"), Unavailable, "too busy (busy); try again later"),
        (status(503, "away"), Unavailable, "answers 503 (away); try again later"),
        (Answer(502, b"<html>Bad\n Gateway</html>"), Unavailable, "answers 502 (<html>Bad Gateway</html>)"),
        (Answer(500, b""), Unavailable, "answers 500 ((no text))"),
    ],
)
def test_a_refusal_is_an_error_that_ends_with_the_fix(answer: Answer, kind: type[Refused], said: str) -> None:
    error = told(answer)
    assert type(error) is kind
    assert said in str(error)
    assert error.refusal.code == answer.status


def test_a_missing_resource_of_others_is_not_to_be_installed_by_us() -> None:
    error = told(Answer(404, b"404 page not found"), "/apis/argoproj.io/v1alpha1/rollouts")
    assert "of that API group, or switch off what needs it" in str(error)


@pytest.mark.parametrize("code", [400, 403, 422, 500])
@pytest.mark.parametrize("message", [WEBHOOK, POLICY])
def test_a_webhook_or_policy_speaks_for_itself_whatever_its_code(code: int, message: str) -> None:
    error = told(status(code, message))
    assert isinstance(error, Denied)
    assert str(error) == message
    assert error.refusal.for_good


@pytest.mark.parametrize(
    ("kind", "port"),
    [
        (Stale, Conflict),
        (AlreadyExists, Conflict),
        (FieldConflict, Conflict),
        (Terminating, Conflict),
        (Missing, NotFound),
        (Expired, ResourceExpired),
    ],
)
def test_users_of_the_port_see_its_errors(kind: type[Refused], port: type[Exception]) -> None:
    assert issubclass(kind, port)


def test_a_refusal_tells_its_causes() -> None:
    cause = {"reason": "FieldValueInvalid", "field": "spec.id", "message": "too long"}
    (found,) = told(status(422, "invalid", causes=[cause])).refusal.causes
    assert (found.reason, found.field, found.message) == ("FieldValueInvalid", "spec.id", "too long")
