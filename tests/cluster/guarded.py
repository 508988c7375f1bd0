"""A namespace whose changes the API server asks an operator about, which runs beside the cluster as a ServiceAccount.

As an administrator it would let administrators' changes pass: its own are not judged.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import trustme
import yaml

from lmos.testing.processes import free_port
from tests.cluster.operators import OperatorProcess
from tools.testcluster import Access

__all__ = ["guarding", "operator_account"]

_PATH: Final = "/admission/plan"


def operator_account(cluster: Access, namespace: str) -> Path:
    """The kubeconfig of a ServiceAccount that may do everything in `namespace`."""
    account = cluster.service_account(namespace, "operator")
    binding = ("rolebinding", "operator", "--clusterrole=cluster-admin", f"--serviceaccount={namespace}:operator")
    cluster.kubectl("-n", namespace, "create", *binding)
    return account


@contextmanager
def guarding(
    cluster: Access, namespace: str, folder: Path, mode: str, *, policy: str = "Fail"
) -> Generator[OperatorProcess]:
    """An operator that is asked about `namespace`, ready. The configuration of the webhook goes with it."""
    authority, port = trustme.CA(), free_port()
    leaf = authority.issue_cert("127.0.0.1")
    leaf.private_key_pem.write_to_path(folder / "tls.key")
    leaf.cert_chain_pems[0].write_to_path(folder / "tls.crt")
    words = ("--no-discovery", "--no-leader-elect", "--admission", mode, "--admission-port", str(port))
    words += ("--admission-cert", str(folder / "tls.crt"), "--admission-key", str(folder / "tls.key"))
    with OperatorProcess(folder, operator_account(cluster, namespace), namespace, *words) as operator:
        operator.until_ready()
        assert re.search(rf"^webhook at https://127\.0\.0\.1:{port}{_PATH}$", operator.out, re.MULTILINE)
        bundle = base64.b64encode(authority.cert_pem.bytes()).decode()
        text = yaml.safe_dump(_configuration(namespace, f"https://127.0.0.1:{port}{_PATH}", bundle, policy))
        cluster.apply(text)
        try:
            yield operator
        finally:
            cluster.kubectl("delete", "-f", "-", stdin=text)


def _configuration(namespace: str, url: str, bundle: str, policy: str) -> dict[str, Any]:
    ours = {"matchLabels": {"kubernetes.io/metadata.name": namespace}}
    rule = {"apiGroups": ["lmos.eclipse"], "apiVersions": ["v1"], "operations": ["CREATE", "UPDATE", "DELETE"]}
    return {
        "apiVersion": "admissionregistration.k8s.io/v1",
        "kind": "ValidatingWebhookConfiguration",
        "metadata": {"name": namespace},
        "webhooks": [
            {
                "name": "plan.lmos.eclipse",
                "admissionReviewVersions": ["v1"],
                "sideEffects": "None",
                "failurePolicy": policy,
                "timeoutSeconds": 5,
                "clientConfig": {"url": url, "caBundle": bundle},
                "namespaceSelector": ours,
                "rules": [rule | {"resources": ["agents", "channels", "channelrollouts"], "scope": "Namespaced"}],
            }
        ],
    }
