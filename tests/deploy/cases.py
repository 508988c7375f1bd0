"""Sets of values that between them render everything that the chart can."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CASES", "ECLIPSE"]

Values = dict[str, Any]

_EVERYWHERE: Final[Values] = {
    "podAnnotations": {"example.com/note": "yes"},
    "podLabels": {"example.com/team": "platform"},
    "nodeSelector": {"kubernetes.io/os": "linux"},
    "tolerations": [{"key": "dedicated", "operator": "Exists"}],
    "affinity": {"nodeAffinity": {"preferredDuringSchedulingIgnoredDuringExecution": []}},
    "priorityClassName": "system-cluster-critical",
    "volumes": [{"name": "more", "configMap": {"name": "more", "optional": True}}],
    "volumeMounts": [{"name": "more", "mountPath": "/more"}],
    "env": [{"name": "OTEL_SERVICE_NAME", "value": "lmos"}],
    "ingress": {
        "enabled": True,
        "className": "nginx",
        "hosts": [{"host": "lmos.example.com", "paths": [{"path": "/"}]}],
        "tls": [{"secretName": "lmos-tls", "hosts": ["lmos.example.com"]}],
    },
}

# What a user of Eclipse LMOS's charts has, below `operator:` and `runtime:`: their defaults, and some of their own.
_BOTH: Final[Values] = {
    "replicaCount": 1,
    "serviceAccount": {"create": True, "automount": True, "annotations": {}, "name": ""},
    "podSecurityContext": {},
    "securityContext": {},
    "resources": {},
    "autoscaling": {"enabled": False, "minReplicas": 1, "maxReplicas": 3, "targetCPUUtilizationPercentage": 80},
    "logging": {"format": "text"},
    "livenessProbe": {"initialDelaySeconds": 1, "periodSeconds": 15, "timeoutSeconds": 5, "successThreshold": 1},
    "volumes": [],
    "volumeMounts": [],
    "nodeSelector": {},
    "tolerations": [],
    "affinity": {},
    "createSecret": False,
}

ECLIPSE: Final[Values] = {
    "operator": _BOTH
    | {
        "nameOverride": "lmos-operator",
        "fullnameOverride": "lmos-operator",
        "service": {"type": "ClusterIP", "port": 8080},
        "customApiGroup": "lmos.eclipse",
        "customResources": ["agents", "channels", "channels/status", "channelroutings", "channelroutings/status"],
        "clientNamespaces": ["default"],
        "embeddingEnabled": False,
        "embeddingStorePort": 6334,
        "argoRolloutSupport": {"enabled": True},
        "istio": {"enabled": False},
        "env": [{"name": "LMOS_LOG_LEVEL", "value": "debug"}],
    },
    "runtime": _BOTH
    | {
        "nameOverride": "lmos-runtime",
        "fullnameOverride": "lmos-runtime",
        "service": {"type": "ClusterIP", "port": 8081},
        "agentRegistryUrl": "http://lmos-operator.lmos-system.svc.cluster.local:8080",
        "secretName": "lmos-runtime",
        "llmProvider": "openai",
        "llmBaseUrl": "http://models.example.com/v1",
        "llmModelName": "gpt-5-mini",
        "classifierHybridFastTrackEnabled": True,
        "disambiguationEnabled": True,
        "corsEnabled": False,
    },
}

CASES: Final[dict[str, Values]] = {
    "defaults": {},
    "operator alone": {"runtime": {"enabled": False}},
    "runtime alone": {"operator": {"enabled": False}, "runtime": {"agentRegistryUrl": "http://lmos-operator:8080"}},
    "two namespaces": {"operator": {"clientNamespaces": ["acme", "globex"]}},
    "argo": {"operator": {"argoRolloutSupport": {"enabled": True}}},
    "no discovery": {"operator": {"discovery": {"enabled": False}}},
    "one replica": {"operator": {"replicaCount": 1, "leaderElection": {"enabled": False}}},
    "admission": {"operator": {"admission": {"mode": "deny", "failurePolicy": "Fail"}}},
    "admission with a secret": {
        "operator": {
            "admission": {"mode": "warn", "certificate": {"existingSecret": "mine", "caBundle": "Y2VydGlmaWNhdGU="}}
        }
    },
    "everything given": {
        "imagePullSecrets": [{"name": "registry"}],
        "image": {"repository": "registry.example.com/lmos", "digest": f"sha256:{'0' * 64}"},
        "operator": _EVERYWHERE
        | {
            "networkPolicy": {
                "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}],
                "metricsFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
                "apiServerCidrs": ["10.0.0.1/32"],
                "extraEgress": [{"ports": [{"port": 8443}]}],
            }
        },
        "runtime": _EVERYWHERE
        | {
            "networkPolicy": {
                "ingressFrom": [{"namespaceSelector": {"matchLabels": {"team": "platform"}}}],
                "metricsFrom": [{"podSelector": {"matchLabels": {"app": "prometheus"}}}],
                "extraEgress": [{"ports": [{"port": 5432}]}],
            },
            "persistence": {"storageClass": "fast", "retain": False},
        },
    },
    "many runtimes": {
        "runtime": {
            "autoscaling": {"enabled": True, "minReplicas": 2},
            "separateTurnLogs": True,
            "persistence": {"enabled": False},
            "service": {"sessionAffinity": "ClientIP"},
        }
    },
    "no extras": {
        "rbac": {"create": False},
        "operator": {"networkPolicy": {"enabled": False}, "podDisruptionBudget": {"enabled": False}},
        "runtime": {"networkPolicy": {"enabled": False}, "serviceAccount": {"create": False, "name": "mine"}},
    },
    "names of Eclipse LMOS": ECLIPSE,
}
"""Foreign kinds (ServiceMonitor, Certificate) are left out: no API server here knows them."""
