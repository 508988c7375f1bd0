"""The webhook on its wire: AdmissionReview in, AdmissionReview out."""
# ruff: noqa: E501 - snapshots are as wide as what they show

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from inline_snapshot import snapshot
from prometheus_client import REGISTRY
from starlette.testclient import TestClient
from structlog.testing import capture_logs

from lmos.operator import reasons
from lmos.operator.admission import PATH, admission_app
from lmos.operator.guard import Guard
from lmos.operator.views import Views
from lmos.resources.base import Resource
from tests.operator.builders import agent, channel

BILLING = agent("billing", ("bill", "1.0.0"))
WEB = channel(("bill", "^1.0.0"), name="web")


def _client(*, waiting_for: Sequence[str] = (), budget: float = 60.0) -> TestClient:
    views = Views()
    views.agents.put(BILLING.with_meta(resource_version="1"))
    views.channels.put(WEB.with_meta(resource_version="2"))
    return TestClient(admission_app(Guard(views, "deny", waits_for=lambda: waiting_for, budget=budget)))


def _review(operation: str, old: Resource | None, new: Resource | None, **more: Any) -> dict[str, Any]:
    """As an API server sends it, with the fields that nobody here reads."""
    known = new or old
    assert known is not None
    resource = {"group": "lmos.eclipse", "version": "v1", "resource": f"{known.KIND.lower()}s"}
    request = {
        "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
        "kind": {"group": "lmos.eclipse", "version": "v1", "kind": known.KIND},
        "resource": resource,
        "requestKind": {"group": "lmos.eclipse", "version": "v1", "kind": known.KIND},
        "requestResource": resource,
        "name": known.metadata.name,
        "namespace": known.metadata.namespace,
        "operation": operation,
        "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
        "object": None if new is None else new.to_wire(),
        "oldObject": None if old is None else old.to_wire(),
        "dryRun": False,
        "options": {"kind": "PatchOptions", "apiVersion": "meta.k8s.io/v1", "fieldManager": "kubectl"},
    }
    return {"kind": "AdmissionReview", "apiVersion": "admission.k8s.io/v1", "request": request | more}


def _count(kind: str, result: str) -> float:
    return REGISTRY.get_sample_value("lmos_admission_reviews_total", {"kind": kind, "result": result}) or 0.0


def test_a_denial_is_a_forbidden_status_with_the_plan_as_message() -> None:
    with capture_logs() as logs:
        answer = _client().post(PATH, json=_review("DELETE", BILLING, None))
    assert answer.status_code == 200
    assert answer.json() == snapshot(
        {
            "apiVersion": "admission.k8s.io/v1",
            "kind": "AdmissionReview",
            "response": {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "allowed": False,
                "status": {
                    "code": 403,
                    "reason": "Forbidden",
                    "message": """\
1 resolved channel would become unresolved:
  web: no agent provides 'bill' in any version (NotProvided)
  fix: change what these channels require first, or annotate Agent billing with lmos.eclipse/allow-unresolved: "true"\
""",
                },
            },
        }
    )
    assert [(entry["event"], entry["user"]) for entry in logs] == [(reasons.EVENT_ADMISSION_DENIED, "alice")]


def test_a_bad_value_is_an_invalid_status_with_a_cause_for_the_field() -> None:
    answer = _client().post(PATH, json=_review("UPDATE", WEB, channel(("bill", "abc"), name="web")))
    assert answer.json()["response"]["status"] == snapshot(
        {
            "code": 422,
            "reason": "Invalid",
            "message": """\
1 problem in Channel web:
  spec.requiredCapabilities[0].version: version range 'abc' is not understood
      fix: write an npm range such as '^1.2.0' or '>=1.0.0 <2.0.0', an Ivy range such as '[1.0,2.0)', or '*'\
""",
            "details": {
                "name": "web",
                "group": "lmos.eclipse",
                "kind": "Channel",
                "causes": [
                    {
                        "reason": "FieldValueInvalid",
                        "field": "spec.requiredCapabilities[0].version",
                        "message": "version range 'abc' is not understood; write an npm range such as '^1.2.0' or '>=1.0.0 <2.0.0', an Ivy range such as '[1.0,2.0)', or '*'",
                    }
                ],
            },
        }
    )


def test_an_allowed_change_has_warnings_only_when_there_are_any() -> None:
    plain = _client().post(PATH, json=_review("UPDATE", BILLING, agent("billing", ("bill", "1.1.0"))))
    warned = _client().post(PATH, json=_review("CREATE", None, channel(("tv", "*"), name="tv")))
    assert [plain.json()["response"], warned.json()["response"]] == snapshot(
        [
            {"uid": "705ab4f5-6393-11e8-b7cc-42010a800002", "allowed": True},
            {
                "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
                "allowed": True,
                "warnings": ["channel tv is unresolved: no agent provides 'tv' in any version (NotProvided)"],
            },
        ]
    )


def test_an_object_that_gets_its_name_from_the_server_is_judged() -> None:
    review = _review("CREATE", None, channel(("tv", "*"), name="x"), name="")
    review["request"]["object"]["metadata"] = {"generateName": "tv-", "labels": {"channel": "web", "tenant": "acme"}}
    answer = _client().post(PATH, json=review).json()["response"]
    assert answer["warnings"] == snapshot(
        ["channel tv-new is unresolved: no agent provides 'tv' in any version (NotProvided)"]
    )


def test_an_object_that_this_version_cannot_read_is_let_through_with_a_warning() -> None:
    review = _review("UPDATE", WEB, WEB)
    review["request"]["object"]["spec"]["newer"] = 1
    assert _client().post(PATH, json=review).json()["response"] == snapshot(
        {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "allowed": True,
            "warnings": [
                "not checked: this version of the operator cannot read spec.newer: Extra inputs are not permitted"
            ],
        }
    )


def test_the_status_of_an_object_is_nobodys_business() -> None:
    review = _review("UPDATE", WEB, channel(("bill", "abc"), name="web"), subResource="status")
    assert _client().post(PATH, json=review).json()["response"]["allowed"]


def test_other_kinds_are_let_through() -> None:
    review = _review("DELETE", BILLING, None, kind={"group": "", "version": "v1", "kind": "Agent"})
    assert _client().post(PATH, json=review).json()["response"]["allowed"]


def test_the_failure_policy_decides_while_the_caches_are_not_filled() -> None:
    with capture_logs() as logs:
        answer = _client(waiting_for=["reconcilers"]).post(PATH, json=_review("DELETE", BILLING, None))
    assert (answer.status_code, answer.text) == snapshot((503, "the operator is not ready, it waits for reconcilers"))
    assert [entry["event"] for entry in logs] == [reasons.EVENT_ADMISSION_FAILED]


def test_kubernetes_itself_need_not_wait_for_the_caches() -> None:
    review = _review("DELETE", BILLING, None)
    review["request"]["userInfo"] = {"username": "system:serviceaccount:kube-system:namespace-controller"}
    assert _client(waiting_for=["reconcilers"]).post(PATH, json=review).json()["response"]["allowed"]


def test_the_failure_policy_decides_what_cannot_be_judged_in_time() -> None:
    answer = _client(budget=0.0).post(PATH, json=_review("DELETE", BILLING, None))
    assert (answer.status_code, answer.text) == snapshot(
        (503, "agent/billing (namespace default) touches too many channels to judge in 0 s")
    )


def test_reviews_are_counted_by_kind_and_result() -> None:
    before = _count("Agent", "denied"), _count("Channel", "allowed"), _count("", "allowed")
    client = _client()
    client.post(PATH, json=_review("DELETE", BILLING, None))
    client.post(PATH, json=_review("DELETE", WEB, None))
    client.post(PATH, json=_review("DELETE", WEB, None, kind={"kind": "Invented"}))
    after = _count("Agent", "denied"), _count("Channel", "allowed"), _count("", "allowed")
    assert [b - a for a, b in zip(before, after, strict=True)] == [1, 1, 1]


def test_what_is_no_review_is_refused() -> None:
    client = _client()
    old = _review("DELETE", BILLING, None) | {"apiVersion": "admission.k8s.io/v1beta1"}
    answers = [client.post(PATH, content=content) for content in (b"", b"[]", b'{"apiVersion":"admission.k8s.io/v1"}')]
    answers.append(client.post(PATH, json=old))
    assert [(answer.status_code, answer.text) for answer in answers] == snapshot(
        [
            (
                400,
                "this is no AdmissionReview of admission.k8s.io/v1: Invalid JSON: EOF while parsing a value at line 1 column 0",
            ),
            (400, "this is no AdmissionReview of admission.k8s.io/v1: Input should be an object"),
            (400, "this is no AdmissionReview of admission.k8s.io/v1: request: Field required"),
            (
                400,
                "this is no AdmissionReview of admission.k8s.io/v1: apiVersion: Input should be 'admission.k8s.io/v1'",
            ),
        ]
    )


def test_a_body_without_end_is_cut_off() -> None:
    assert _client().post(PATH, content=b" " * (8 * 1024 * 1024 + 1)).status_code == 413
