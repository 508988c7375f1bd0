"""`lmos` on a real API server: what it shows is what kubectl shows, what it writes is what Kubernetes keeps."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lmos.cli.main import main
from lmos.testing import LmosProcess
from tests.cluster.operators import OperatorProcess, agent_manifest, channel_manifest
from tests.cluster.plugin import Kubectl, StartCluster
from tools.testcluster import API_SERVER, Access

OBJECTS = """\
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {name: billing, labels: {team: a}}
spec:
  supportedTenants: [acme, other]
  supportedChannels: [web]
  providedCapabilities: [{name: bill, version: 1.0.0}, {name: "pay", version: 1.0.0}]
  endpoint: {url: "https://billing.example", protocol: a2a}
---
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {name: contract}
spec:
  supportedTenants: []
  supportedChannels: [web, app]
  providedCapabilities: [{name: contract, version: 2.0.0}]
  endpoint: {url: "http://contract.example"}
---
apiVersion: lmos.eclipse/v1
kind: Agent
metadata: {name: empty}
spec: {}
---
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {name: acme-web, labels: {tenant: acme, channel: web, subset: stable, team: a}}
spec: {requiredCapabilities: [{name: bill, version: ^1.0.0}, {name: contract, version: "*"}]}
---
apiVersion: lmos.eclipse/v1
kind: Channel
metadata: {name: acme-app, labels: {tenant: acme, channel: app}}
spec: {requiredCapabilities: [{name: bill, version: ^7.0.0}]}
---
apiVersion: lmos.eclipse/v1
kind: ChannelRollout
metadata: {name: half}
spec: {strategy: {canary: {canaryChannel: {name: a, weight: 5}, stableChannel: {name: b}}}}
---
apiVersion: lmos.eclipse/v1
kind: ChannelRollout
metadata: {name: nothing}
spec: {}
"""

Lmos = Callable[..., tuple[int, str, str]]


@pytest.fixture
def lmos(
    api_server: Access, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Lmos:
    """`lmos("get", "channels", "-n", namespace)`: exit code, stdout and stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str, role: str = "admin") -> tuple[int, str, str]:
        capsys.readouterr()
        code = main([*words, "--kubeconfig", str(api_server.kubeconfig(role))])
        out, err = capsys.readouterr()
        return code, out, err

    return run


@pytest.fixture(scope="module")
def shown(api_server: Access, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A namespace with `OBJECTS`, at which an operator has looked once."""
    namespace = f"commands-{os.getpid()}"

    def kubectl(*words: str, stdin: str | None = None) -> None:
        api_server.kubectl("-n", namespace, *words, stdin=stdin)

    kubectl("create", "namespace", namespace)
    kubectl("apply", "-f", "-", stdin=OBJECTS)
    folder, words = tmp_path_factory.mktemp("operator"), ("--no-discovery", "--no-leader-elect")
    with OperatorProcess(folder, api_server.kubeconfig(), namespace, *words):
        kubectl("wait", "channel/acme-web", "--for=condition=Resolved", "--timeout=20s")
        kubectl("wait", "channel/acme-app", "--for=condition=Resolved=false", "--timeout=20s")
        kubectl("wait", "agent/billing", "agent/contract", "--for=condition=Ready", "--timeout=20s")
    yield namespace
    kubectl("delete", "namespace", namespace, "--wait=false")


def _rows(table: str) -> list[list[str]]:
    """Cells without the age, which passes between two commands. Empty ones leave their place empty."""
    header, *lines = table.splitlines()
    starts = [match.start() for match in re.finditer(r"\S+", header)]
    bounds = list(zip(starts, [*starts[1:], None], strict=True))[:-1]
    return [[line[a:b].strip() for a, b in bounds] for line in [header, *lines]]


@pytest.mark.parametrize("kind", ["agents", "channels", "channelroutings", "channelrollouts"])
@pytest.mark.parametrize("wide", [(), ("-o", "wide")], ids=["table", "wide"])
def test_kubectl_shows_the_same_columns_and_cells(
    api_server: Access, lmos: Lmos, shown: str, kind: str, wide: tuple[str, ...]
) -> None:
    theirs, (code, ours, _) = api_server.kubectl("get", kind, "-n", shown, *wide), lmos("get", kind, "-n", shown, *wide)
    assert code == 0
    assert _rows(ours) == _rows(theirs)
    assert len(_rows(ours)) > 2
    if kind == "channelroutings":
        assert ["acme-web", "acme", "web", "stable", "billing,contract"] in _rows(ours)


@pytest.mark.parametrize("kind", ["agents", "channels", "channelroutings", "channelrollouts"])
def test_kubectl_shows_the_same_in_all_namespaces(api_server: Access, lmos: Lmos, shown: str, kind: str) -> None:
    theirs, ours = _rows(api_server.kubectl("get", kind, "-A")), _rows(lmos("get", kind, "-A")[1])
    assert ours[0] == theirs[0]
    assert ours[0][:2] == ["NAMESPACE", "NAME"]
    # Namespaces of other tests may be on their way out.
    assert [row for row in ours if row[0] == shown] == [row for row in theirs if row[0] == shown]


def test_names_are_those_of_kubectl(api_server: Access, lmos: Lmos, shown: str) -> None:
    words = ("agents,channels,channelroutings,channelrollouts", "-n", shown, "-o", "name")
    assert lmos("get", *words)[1] == api_server.kubectl("get", *words)


def test_a_description_tells_conditions_and_events(lmos: Lmos, shown: str) -> None:
    code, out, _ = lmos("describe", "channel", "acme-app", "-n", shown)
    conditions, _, events = out.partition("Conditions:")[2].partition("Events:")
    assert code == 0
    assert re.search(r"Resolved +False +\d+s +NoAgentServesChannel", conditions)
    assert re.search(r"Warning +NoAgentServesChannel +\d+s +lmos.eclipse/operator", events)


def test_an_agents_description_tells_that_it_is_ready(lmos: Lmos, shown: str) -> None:
    _, out, _ = lmos("describe", "agent", "billing", "-n", shown)
    assert re.search(r"Ready +True", out.partition("Conditions:")[2])


def test_a_plan_ends_with_2_when_a_channel_would_become_unresolved(lmos: Lmos, shown: str) -> None:
    code, out, err = lmos("plan", "--delete", "agent/contract", "-n", shown)
    assert (code, err) == (2, "would become unresolved: acme-web\n")
    assert out.splitlines()[0] == "channel acme-web  becomes unresolved  RESOLVED -> UNRESOLVED"


def test_who_has_no_rights_is_told_which(lmos: Lmos, shown: str) -> None:
    code, out, err = lmos("get", "channels", "-n", shown, role="nobody")
    assert (code, out) == (1, "")
    assert 'User "nobody" cannot list resource "channels"' in err
    assert err.splitlines()[-1].startswith("  fix: grant the verb 'list'")


def test_an_apply_owns_what_the_manifest_says_and_no_more(
    lmos: Lmos, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "agent.yaml").write_text(agent_manifest("billing", "bill"))
    assert lmos("apply", "-f", "agent.yaml", "-n", namespace)[:2] == (0, "agent.lmos.eclipse/billing created\n")
    assert lmos("apply", "-f", "agent.yaml", "-n", namespace)[:2] == (0, "agent.lmos.eclipse/billing unchanged\n")
    agent = json.loads(kubectl("get", "agent", "billing", "-o", "json", "--show-managed-fields"))
    (managed,) = agent["metadata"]["managedFields"]
    assert (managed["manager"], managed["operation"]) == ("lmos-cli", "Apply")
    assert set(managed["fieldsV1"]["f:spec"]) == {f"f:{field}" for field in agent["spec"]}
    assert "id" not in agent["spec"]


def test_a_field_of_kubectls_is_left_to_it_until_it_is_taken_over(
    lmos: Lmos, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "agent.yaml").write_text(agent_manifest("billing", "bill"))
    kubectl("apply", "-f", "-", stdin=agent_manifest("billing", "bill", "http://127.0.0.1:2"))
    code, _, err = lmos("apply", "-f", "agent.yaml", "-n", namespace)
    where = f"error: agent.yaml:1: agent/billing (namespace {namespace})"
    assert (code, err.splitlines()) == (
        1,
        [
            f"{where}: another field manager owns what would change:",
            "    .spec.endpoint.url   kubectl-client-side-apply",
            "  fix: leave these fields out, or take them over with --force-conflicts",
        ],
    )
    words = ("apply", "-f", "agent.yaml", "-n", namespace, "--force-conflicts")
    assert lmos(*words)[:2] == (0, "agent.lmos.eclipse/billing configured\n")


def test_what_the_api_server_refuses_is_told_with_its_fields(lmos: Lmos, namespace: str, tmp_path: Path) -> None:
    manifest = agent_manifest("billing", "bill").replace("{name: billing}", "{name: billing, finalizers: [a b]}")
    (tmp_path / "agent.yaml").write_text(f"{manifest}---\n{channel_manifest('web', 'bill')}")
    code, out, err = lmos("apply", "-f", "agent.yaml", "-n", namespace)
    assert (code, out) == (1, "channel.lmos.eclipse/web created\n")
    first, cause, fix = err.splitlines()
    assert first == f"error: agent.yaml:1: agent/billing (namespace {namespace}): the API server refuses it:"
    assert cause.startswith('    metadata.finalizers: Invalid value: "a b"')
    assert fix == "  fix: correct the object"


def test_waiting_ends_when_the_operator_has_resolved(
    api_server: Access, lmos: Lmos, namespace: str, tmp_path: Path
) -> None:
    (tmp_path / "all.yaml").write_text(f"{agent_manifest('billing', 'bill')}---\n{channel_manifest('web', 'bill')}")
    words = ("--no-discovery", "--no-leader-elect")
    with OperatorProcess(tmp_path, api_server.kubeconfig(), namespace, *words) as operator:
        operator.until_ready()
        code, out, _ = lmos("apply", "-f", "all.yaml", "-n", namespace, "--wait")
    assert (code, out.splitlines()[-1]) == (0, "channel.lmos.eclipse/web resolved")


def test_objects_go_with_what_they_own(lmos: Lmos, kubectl: Kubectl, namespace: str, tmp_path: Path) -> None:
    (tmp_path / "web.yaml").write_text(channel_manifest("web", "bill"))
    lmos("apply", "-f", "web.yaml", "-n", namespace)
    assert lmos("delete", "-f", "web.yaml", "-n", namespace)[:2] == (0, 'channel.lmos.eclipse "web" deleted\n')
    assert lmos("delete", "channel", "web", "-n", namespace)[0] == 1
    assert kubectl("get", "channels", "-o", "name") == ""


def test_watching_shows_what_others_change(
    api_server: Access, kubectl: Kubectl, namespace: str, tmp_path: Path
) -> None:
    kubectl("apply", "-f", "-", stdin=channel_manifest("web", "bill"))
    words = ("get", "channels", "-w", "-n", namespace, "--kubeconfig", str(api_server.kubeconfig()))
    with LmosProcess(*words, folder=tmp_path, name="watch") as process:
        process.until(lambda: "web" in process.out, "the list")
        kubectl("label", "channel", "web", "subset=canary", "--overwrite")
        process.until(lambda: "canary" in process.out, "the change")


def test_a_cluster_without_our_definitions_is_told_how_to_get_them(
    new_cluster: StartCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    cluster = new_cluster(parts=API_SERVER)
    monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig()))
    (tmp_path / "web.yaml").write_text(channel_manifest("web", "bill"))
    said = (
        "error: the cluster has no CustomResourceDefinitions of LMOS\n"
        "  fix: install them: lmos crds | kubectl apply --server-side -f -\n"
    )
    for words in (["get", "channels"], ["plan", "--delete", "agent/a"], ["apply", "-f", str(tmp_path / "web.yaml")]):
        assert (main([*words, "--cluster"]), capsys.readouterr().err) == (1, said)
