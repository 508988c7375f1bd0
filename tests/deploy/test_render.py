"""What the chart renders, looked at without a cluster."""

from __future__ import annotations

import re
from typing import Any

import pytest

from lmos.operator.admission import PATH
from tests.deploy.cases import CASES, ECLIPSE
from tests.deploy.chart import CHART, Helm, HelmFailed, Manifests, pod_specs


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_helm_finds_nothing_to_say_about_the_chart(helm: Helm, values: dict[str, Any]) -> None:
    said = helm("lint", "--strict", "--quiet", str(CHART), *helm.values(values))
    assert said == ""


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_pods_meet_the_restricted_standard_and_more(helm: Helm, values: dict[str, Any]) -> None:
    for name, pod in pod_specs(helm.render(values)):
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert pod["automountServiceAccountToken"] is ("operator" in name), "the operator alone talks to the API server"
        for container in pod["containers"]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }
            assert {"requests", "limits"} <= container["resources"].keys()
            assert {"livenessProbe", "readinessProbe", "startupProbe"} <= container.keys()


@pytest.mark.parametrize("values", CASES.values(), ids=CASES)
def test_every_port_that_is_named_is_one_of_the_pods(helm: Helm, values: dict[str, Any]) -> None:
    manifests = helm.render(values)
    ports = {
        name.rpartition("-")[2]: {port["name"] for container in pod["containers"] for port in container["ports"]}
        for name, pod in pod_specs(manifests)
    }
    for service in manifests.of("Service"):
        part = service["spec"]["selector"]["app.kubernetes.io/component"]
        assert {port["targetPort"] for port in service["spec"]["ports"]} == ports[part]
    for policy in manifests.of("NetworkPolicy"):
        part = policy["spec"]["podSelector"]["matchLabels"]["app.kubernetes.io/component"]
        assert {port["port"] for rule in policy["spec"]["ingress"] for port in rule["ports"]} == ports[part]


def test_two_operators_are_kept_apart_and_may_not_go_together(helm: Helm) -> None:
    manifests = helm.render()
    pod = manifests.one("Deployment", "lmos-operator")["spec"]["template"]["spec"]
    assert {constraint["topologyKey"] for constraint in pod["topologySpreadConstraints"]} == {
        "kubernetes.io/hostname",
        "topology.kubernetes.io/zone",
    }
    assert manifests.one("PodDisruptionBudget", "lmos-operator")["spec"]["maxUnavailable"] == 1


def test_the_runtime_asks_the_operator_of_its_release(helm: Helm) -> None:
    assert _env(helm.render(), "lmos-runtime")["LMOS_OPERATOR_URL"] == "http://lmos-operator.lmos:8080"


def test_names_of_eclipse_lmos_mean_the_same(helm: Helm) -> None:
    manifests = helm.render(ECLIPSE)
    operator, runtime = _env(manifests, "lmos-operator"), _env(manifests, "lmos-runtime")
    assert manifests.one("Deployment", "lmos-operator")["spec"]["replicas"] == 1
    assert operator["LMOS_NAMESPACES"] == "default"
    assert operator["LMOS_ARGO_ROLLOUTS"] == "true"
    assert operator["LMOS_LOG_FORMAT"] == "text"
    assert runtime["LMOS_OPERATOR_URL"] == "http://lmos-operator.lmos-system.svc.cluster.local:8080"
    assert runtime["LMOS_ROUTER"] == "hybrid"
    assert runtime["LMOS_ROUTER_MODEL"] == "http://models.example.com/v1#gpt-5-mini"
    assert runtime["LMOS_MODEL_API_KEY"] == {
        "secretKeyRef": {"name": "lmos-runtime", "key": "LLM_API_KEY", "optional": True}
    }


def test_a_variable_that_is_given_takes_the_place_of_the_charts_own(helm: Helm) -> None:
    manifests = helm.render({"operator": {"env": [{"name": "LMOS_LOG_LEVEL", "value": "debug"}]}})
    (container,) = manifests.one("Deployment", "lmos-operator")["spec"]["template"]["spec"]["containers"]
    assert [entry["value"] for entry in container["env"] if entry["name"] == "LMOS_LOG_LEVEL"] == ["debug"]


_REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "an unknown name": ({"operator": {"replicas": 2}}, "additional properties 'replicas' not allowed"),
    "a name of an unknown part": ({"console": {}}, "additional properties 'console' not allowed"),
    "a mesh": ({"operator": {"istio": {"enabled": True}}}, "operator.istio: no mesh is needed"),
    "keys in values": ({"runtime": {"llmApiKey": "secret"}}, "runtime.llmApiKey: put LLM_API_KEY into a Secret"),
    "false where it is always true": ({"runtime": {"disambiguationEnabled": False}}, "always asks back"),
    "values of a chart of one part": ({"replicaCount": 2}, "replicaCount: write operator.replicaCount or runtime.repl"),
    "an image of a JVM": (
        {"operator": {"image": {"repository": "ghcr.io/eclipse-lmos/lmos-operator"}}},
        "another prog",
    ),
    "leaders without an election": ({"operator": {"leaderElection": {"enabled": False}}}, "several replicas need it"),
    "rollouts without discovery": (
        {"operator": {"discovery": {"enabled": False}, "argoRolloutSupport": {"enabled": True}}},
        "operator.argoRolloutSupport.enabled: needs operator.discovery.enabled",
    ),
    "several turn logs": ({"runtime": {"replicaCount": 2}}, "replicas share no turn log"),
    "several turn logs on one claim": (
        {"runtime": {"replicaCount": 2, "separateTurnLogs": True}},
        "one claim cannot hold several turn logs",
    ),
    "a runtime without operator": ({"operator": {"enabled": False}}, "runtime.agentRegistryUrl: without operator"),
    "two classifiers": (
        {"runtime": {"classifierLlmEnabled": True, "classifierVectorEnabled": True}},
        "classifiers vector, llm are all enabled",
    ),
    "a server without model": (
        {"runtime": {"llmBaseUrl": "http://x"}},
        "runtime.llmBaseUrl needs runtime.llmModelName",
    ),
    "a webhook that waits for long": ({"operator": {"admission": {"timeoutSeconds": 10}}}, "maximum"),
    "a secret without authority": (
        {"operator": {"admission": {"mode": "warn", "certificate": {"existingSecret": "mine"}}}},
        "existingSecret: needs caBundle",
    ),
}


@pytest.mark.parametrize(("values", "said"), _REFUSED.values(), ids=_REFUSED)
def test_values_that_cannot_be_used_are_refused_with_the_reason(helm: Helm, values: dict[str, Any], said: str) -> None:
    with pytest.raises(HelmFailed, match=re.escape(said)):
        helm.render(values)


def test_all_values_that_cannot_be_used_are_told_at_once(helm: Helm) -> None:
    with pytest.raises(HelmFailed) as failed:
        helm.render({"operator": {"istio": {"enabled": True}}, "runtime": {"replicaCount": 2, "cacheTtl": 60}})
    assert len(re.findall(r"^  (operator|runtime)\.", str(failed.value), re.MULTILINE)) == 3


def test_the_webhook_asks_where_the_operator_answers_and_leaves_its_own_namespace_alone(helm: Helm) -> None:
    manifests = helm.render({"operator": {"admission": {"mode": "deny"}}})
    (webhook,) = manifests.of("ValidatingWebhookConfiguration")[0]["webhooks"]
    assert webhook["clientConfig"]["service"] == {
        "name": "lmos-operator",
        "namespace": "lmos",
        "port": 9443,
        "path": PATH,
    }
    assert webhook["timeoutSeconds"] <= 5
    assert {"key": "kubernetes.io/metadata.name", "operator": "NotIn", "values": ["lmos"]} in webhook[
        "namespaceSelector"
    ]["matchExpressions"]


def test_monitors_find_the_services(helm: Helm) -> None:
    values = {"serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}}}
    manifests = helm.render(values)
    monitors, services = manifests.of("ServiceMonitor"), manifests.of("Service")
    assert [monitor["metadata"]["labels"]["release"] for monitor in monitors] == ["prometheus", "prometheus"]
    for monitor, service in zip(monitors, services, strict=True):
        assert monitor["spec"]["selector"]["matchLabels"].items() <= service["metadata"]["labels"].items()


def test_cert_manager_makes_the_webhooks_certificate_if_asked(helm: Helm) -> None:
    values = {"operator": {"admission": {"mode": "warn", "certificate": {"certManager": True}}}}
    manifests = helm.render(values)
    (certificate,) = manifests.of("Certificate")
    (configuration,) = manifests.of("ValidatingWebhookConfiguration")
    assert certificate["spec"]["dnsNames"][0] == "lmos-operator.lmos.svc"
    assert configuration["metadata"]["annotations"] == {
        "cert-manager.io/inject-ca-from": f"lmos/{certificate['metadata']['name']}"
    }
    volumes = manifests.one("Deployment", "lmos-operator")["spec"]["template"]["spec"]["volumes"]
    assert {"name": "certificate", "secret": {"secretName": certificate["spec"]["secretName"]}} in volumes


def _env(manifests: Manifests, deployment: str) -> dict[str, Any]:
    (container,) = manifests.one("Deployment", deployment)["spec"]["template"]["spec"]["containers"]
    return {entry["name"]: entry.get("value", entry.get("valueFrom")) for entry in container["env"]}
