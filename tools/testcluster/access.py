"""What a test does with a cluster, whoever runs it: kubectl, a kubeconfig for each role, CRDs installed and served.

`cluster.py` is a cluster of our own, which can be broken too; `given.py` one that is already there.
"""

from __future__ import annotations

import json
import os
import subprocess
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import yaml

from tools.testcluster.credentials import ADMIN

__all__ = ["Access", "KubectlFailed"]


class KubectlFailed(Exception):
    """kubectl ended with another code than 0. The message is what it was called with and what it said."""


class Access(ABC):
    """A cluster as its users see it. `folder` gets kubectl's caches and the files of ServiceAccounts."""

    folder: Path

    @property
    @abstractmethod
    def kubectl_program(self) -> Path:
        """The kubectl to use."""

    @abstractmethod
    def kubeconfig(self, role: str = ADMIN) -> Path:
        """The kubeconfig of a role. Raises `KeyError` for one that this cluster does not know."""

    def kubectl(self, *words: str, role: str = ADMIN, stdin: str | None = None, seconds: float = 30.0) -> str:
        """What kubectl prints when run by `role`. Raises `KubectlFailed`, `subprocess.TimeoutExpired`."""
        return self._run(words, self.kubeconfig(role), stdin, seconds)

    def get(self, *words: str, role: str = ADMIN) -> Any:
        """`kubectl get ... -o json`, parsed."""
        return json.loads(self.kubectl("get", *words, "-o", "json", role=role))

    def raw(self, path: str, *, role: str = ADMIN) -> Any:
        """What the API server answers to a GET of `path`, parsed. A list keeps its resourceVersion here."""
        return json.loads(self.kubectl("get", "--raw", path, role=role))

    def apply(self, manifests: str, *words: str, role: str = ADMIN) -> str:
        """Server-side apply of YAML documents."""
        return self.kubectl("apply", "--server-side", *words, "-f", "-", role=role, stdin=manifests)

    def install(self, crds: Sequence[str]) -> None:
        """Apply CustomResourceDefinitions, each a stream of YAML documents, and wait until they are served."""
        names: list[str] = []
        for text in crds:
            names += [document["metadata"]["name"] for document in yaml.safe_load_all(text) if document]
        if names:
            self.apply("---\n".join(crds))
            self.kubectl("wait", "crd", *names, "--for=condition=Established", "--timeout=30s", seconds=40.0)

    def service_account(self, namespace: str, name: str, *, hours: int = 24) -> Path:
        """A kubeconfig with a token for a ServiceAccount, which is made, with its namespace, where it is not there."""
        self.apply(_account(namespace, name), "--field-manager=testcluster")
        token = self.kubectl("create", "token", name, "-n", namespace, f"--duration={hours}h").strip()
        view = self.kubectl("config", "view", "--raw", "--minify", "--flatten", "-o", "json")
        config = json.loads(view)
        config["users"] = [{"name": user["name"], "user": {"token": token}} for user in config["users"]]
        path = self.folder / f"{namespace}-{name}.kubeconfig"
        path.write_text(yaml.safe_dump(config))
        path.chmod(0o600)
        return path

    def _run(self, words: Sequence[str], kubeconfig: Path, stdin: str | None, seconds: float) -> str:
        # Its cache of what a server has is found by host and port, which a later cluster may have too.
        environment = os.environ | {"KUBECONFIG": str(kubeconfig), "KUBECACHEDIR": str(self.folder / "kubectl")}
        done = subprocess.run(  # noqa: S603 - kubectl
            [str(self.kubectl_program), *words],
            check=False,
            capture_output=True,
            env=environment,
            input=stdin or "",
            text=True,
            timeout=seconds,
        )
        if done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(words)}\n{done.stdout}{done.stderr}".rstrip())
        return done.stdout


def _account(namespace: str, name: str) -> str:
    return f"""\
apiVersion: v1
kind: Namespace
metadata: {{name: {namespace}}}
---
apiVersion: v1
kind: ServiceAccount
metadata: {{name: {name}, namespace: {namespace}}}
"""
