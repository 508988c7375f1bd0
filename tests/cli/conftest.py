"""Runs command lines in this process, in a folder of their own, without the user's environment."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from lmos.cli.main import main
from tests.cli.served import ServedCluster, served_cluster

MANIFESTS = """\
apiVersion: lmos.eclipse/v1
kind: Agent
metadata:
  name: billing
spec:
  description: Bills and payments
  supportedTenants: [acme]
  supportedChannels: [web]
  providedCapabilities:
    - name: view-bill
      version: 1.2.0
      description: Shows a bill
      examples: [How much is my bill?, Show me the invoice of March, What do I have to pay this month?]
  endpoint: {url: "http://127.0.0.1:9", protocol: arc}
---
apiVersion: lmos.eclipse/v1
kind: Agent
metadata:
  name: contract
spec:
  supportedChannels: [web]
  providedCapabilities:
    - name: view-contract
      version: 2.0.0
      examples: [When does my contract end?, Which tariff do I have?, I want to see my contract]
  endpoint: {url: "http://127.0.0.1:9", protocol: arc}
---
apiVersion: lmos.eclipse/v1
kind: Channel
metadata:
  name: acme-web
  labels: {tenant: acme, channel: web, subset: stable}
spec:
  requiredCapabilities:
    - {name: view-bill, version: ^1.0.0}
    - {name: view-contract, version: ^2.0.0}
---
apiVersion: lmos.eclipse/v1
kind: Channel
metadata:
  name: acme-ivr
  labels: {tenant: acme, channel: ivr, subset: stable}
spec:
  requiredCapabilities:
    - {name: view-bill, version: ^2.0.0}
"""


@dataclass(frozen=True)
class Outcome:
    """What a command left: exit code, stdout and stderr."""

    code: int
    out: str
    err: str

    @property
    def timeless(self) -> str:
        """stdout with ages and timestamps that do not depend on when the test runs."""
        text = re.sub(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "2026-01-01T00:00:00Z", self.out)
        return re.sub(r"(?<=\s|\()\d+s(?=\s|$)", "0s", text)


Lmos = Callable[..., Outcome]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The working folder of the commands; it holds `manifests.yaml`."""
    for name in [name for name in os.environ if name.startswith("LMOS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "manifests.yaml").write_text(MANIFESTS)
    return tmp_path


@pytest.fixture
def lmos(folder: Path, capsys: pytest.CaptureFixture[str]) -> Lmos:
    """`lmos("get", "channels")` runs it in `folder`."""

    def run(*words: str) -> Outcome:
        capsys.readouterr()
        code = main(list(words))
        captured = capsys.readouterr()
        return Outcome(code, captured.out, captured.err)

    return run


@pytest.fixture
def applied(lmos: Lmos) -> Lmos:
    """`lmos` on a data folder to which the manifests were applied, with nothing running."""
    assert lmos("apply", "-f", "manifests.yaml").code == 0
    return lmos


@pytest.fixture
def cluster(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServedCluster]:
    with served_cluster(folder) as served:
        monkeypatch.setenv("KUBECONFIG", str(served.kubeconfig))
        yield served


@pytest.fixture
def applied_there(lmos: Lmos, cluster: ServedCluster) -> Lmos:
    assert lmos("apply", "-f", "manifests.yaml", "--cluster").code == 0
    return lmos
