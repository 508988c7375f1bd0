"""`lmos operator` and `lmos runtime` as processes beside a real cluster, and manifests for them."""

from __future__ import annotations

import json
import re
import urllib.error
import urllib.request
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from lmos.testing.processes import LmosProcess, until

__all__ = ["OperatorProcess", "RuntimeProcess", "agent_manifest", "channel_manifest", "fetch"]

_ADDRESSES: Final = re.compile(r"at (http://\S+?), probes and metrics at (http://\S+)")


class _Probed(LmosProcess):
    """A process that prints the addresses of its API and of its probes."""

    @property
    def api(self) -> str:
        return self._addresses()[0]

    @property
    def probes(self) -> str:
        return self._addresses()[1]

    def until_ready(self, seconds: float = 30.0) -> None:
        self.until(lambda: self.waits_for() == [], "getting ready", seconds)

    def waits_for(self) -> list[str]:
        """What `/readyz` says is missing."""
        return json.loads(fetch(f"{self.probes}/readyz")[1])["waitingFor"]

    def metric(self, metric: str, **labels: str) -> float:
        """The sum of the samples of this name with these labels."""
        total = 0.0
        for line in fetch(f"{self.probes}/metrics")[1].splitlines():
            sample, _, number = line.rpartition(" ")
            if sample.partition("{")[0] == metric and all(f'{k}="{v}"' in sample for k, v in labels.items()):
                total += float(number)
        return total

    def _addresses(self) -> tuple[str, str]:
        self.until(lambda: _ADDRESSES.search(self.out) is not None, "printing its addresses")
        found = _ADDRESSES.search(self.out)
        assert found is not None
        return found.group(1), found.group(2)


class OperatorProcess(_Probed):
    """The operator of some namespaces, comma-separated; the Lease is in the first."""

    def __init__(
        self,
        folder: Path,
        kubeconfig: Path,
        namespaces: str,
        *words: str,
        name: str = "operator",
        port: str = "0",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            *(
                "operator",
                "--namespaces",
                namespaces,
                "--lease-namespace",
                namespaces.partition(",")[0],
                "--port",
                port,
            ),
            *("--metrics-port", "0", "--kubeconfig", str(kubeconfig), *words),
            folder=folder,
            name=name,
            settings=settings,
        )

    @property
    def leads(self) -> bool:
        return self.metric("leader_election_master_status") == 1

    def until_leading(self, seconds: float) -> None:
        until(lambda: self.leads, f"{self.name} leading", seconds)


class RuntimeProcess(_Probed):
    """The runtime of one namespace, with the routings of the operator at `url`."""

    def __init__(
        self,
        folder: Path,
        url: str,
        namespace: str,
        *,
        name: str = "runtime",
        settings: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(
            *("runtime", "--operator-url", url, "--namespace", namespace, "--port", "0", "--metrics-port", "0"),
            *("--data", f"{name}-data"),
            folder=folder,
            name=name,
            settings={"LMOS_ENCODER": "static"} | dict(settings or {}),
        )

    def turn(self, text: str, conversation: str, *, channel: str = "web") -> tuple[int, Any]:
        """Status and body of one turn of tenant acme."""
        body = {
            "inputContext": {"messages": [{"role": "user", "content": text}]},
            "systemContext": {"channelId": channel},
            "userContext": {"userId": "anna"},
        }
        status, answer = fetch(
            f"{self.api}/apis/v1/acme/chat/{conversation}/message",
            json.dumps(body).encode(),
            {"content-type": "application/json", "x-turn-id": "1"},
        )
        return status, json.loads(answer)


def fetch(url: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and body of a GET, or of a POST of `body`; status 0 when there is no answer."""
    request = urllib.request.Request(url, body, headers or {})
    try:
        with urllib.request.urlopen(request, timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()
    except (urllib.error.URLError, ConnectionError, TimeoutError):
        return 0, ""


def agent_manifest(name: str, capability: str, url: str = "http://127.0.0.1:1") -> str:
    return f"""\
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {{name: {name}}}
spec:
  description: Answers questions about {capability}
  supportedChannels: [web, app]
  providedCapabilities: [{{name: {capability}, version: 1.0.0, examples: [what about my {capability}]}}]
  endpoint: {{protocol: arc, url: "{url}"}}
"""


def channel_manifest(name: str, capability: str, *, channel: str = "web") -> str:
    return f"""\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {{name: {name}, labels: {{tenant: acme, channel: {channel}, subset: stable, version: 1.0.0}}}}
spec: {{requiredCapabilities: [{{name: {capability}, version: ">=1.0.0"}}]}}
"""
