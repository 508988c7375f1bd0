"""`apply`, `get`, `describe` and `delete` on a data folder, with nothing running."""
# ruff: noqa: E501 - snapshots are as wide as what they show

from __future__ import annotations

import io
import json
import signal
from pathlib import Path

import pytest
import yaml
from anyio.from_thread import start_blocking_portal
from inline_snapshot import snapshot
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lmos.testing import serving
from lmos.testing.processes import LmosProcess
from tests.cli.conftest import MANIFESTS, Lmos


def test_applying_says_what_was_created(lmos: Lmos) -> None:
    outcome = lmos("apply", "-f", "manifests.yaml")
    assert (outcome.code, outcome.out) == snapshot(
        (
            0,
            """\
agent.lmos.eclipse/billing created
agent.lmos.eclipse/contract created
channel.lmos.eclipse/acme-web created
channel.lmos.eclipse/acme-ivr created
""",
        )
    )


def test_applying_the_same_again_changes_nothing(applied: Lmos) -> None:
    outcome = applied("apply", "-f", "manifests.yaml")
    assert {line.split()[-1] for line in outcome.out.splitlines()} == {"unchanged"}


def test_applying_a_change_configures_that_object_only(applied: Lmos, folder: Path) -> None:
    (folder / "manifests.yaml").write_text(MANIFESTS.replace("Bills and payments", "Bills"))
    outcome = applied("apply", "-f", "manifests.yaml")
    assert [line for line in outcome.out.splitlines() if not line.endswith("unchanged")] == [
        "agent.lmos.eclipse/billing configured"
    ]


def test_manifests_come_from_standard_input(lmos: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(MANIFESTS.encode())))
    assert lmos("apply", "-f", "-").code == 0
    assert lmos("get", "agents", "-o", "name").out == "agent.lmos.eclipse/billing\nagent.lmos.eclipse/contract\n"


def test_a_bad_manifest_applies_nothing(lmos: Lmos, folder: Path) -> None:
    (folder / "bad.yaml").write_text(MANIFESTS.replace("^1.0.0", "abc"))
    outcome = lmos("apply", "-f", "bad.yaml")
    assert (outcome.code, outcome.out, outcome.err) == snapshot(
        (
            1,
            "",
            """\
error: 1 problem in the manifests:
  bad.yaml:35:34: spec.requiredCapabilities[0].version: version range 'abc' is not understood
      fix: write an npm range such as '^1.2.0' or '>=1.0.0 <2.0.0', an Ivy range such as '[1.0,2.0)', or '*'
""",
        )
    )
    assert not (folder / ".lmos").exists()


def test_a_warning_names_what_is_surely_not_meant(lmos: Lmos, folder: Path) -> None:
    (folder / "agent.yaml").write_text("apiVersion: lmos.eclipse/v1\nkind: Agent\nmetadata: {name: a}\nspec: {}\n")
    outcome = lmos("apply", "-f", "agent.yaml")
    assert outcome.code == 0
    assert outcome.err.startswith("warning: agent.yaml:4:")


def test_a_namespace_that_contradicts_the_manifest_is_refused(lmos: Lmos, folder: Path) -> None:
    (folder / "other.yaml").write_text(MANIFESTS.replace("name: billing", "name: billing\n  namespace: other", 1))
    outcome = lmos("apply", "-f", "other.yaml", "-n", "default")
    assert (outcome.code, outcome.err) == snapshot(
        (
            1,
            """\
error: other.yaml:1: agent/billing (namespace other) is not in namespace 'default'
  fix: leave out -n, or write -n other
""",
        )
    )


def test_a_python_agent_is_applied_with_a_note_on_who_runs_it(lmos: Lmos, folder: Path) -> None:
    lmos("agent", "new", "shop")
    outcome = lmos("apply", "-f", "shop.agent.py")
    assert (outcome.code, outcome.out) == (0, "agent.lmos.eclipse/shop created\n")
    assert "lmos up -f shop.agent.py" in outcome.err


def test_an_agent_that_describes_itself_is_asked_at_once_when_nothing_runs(lmos: Lmos, folder: Path) -> None:
    card = {"id": "", "description": "Bills", "supportedTenants": [], "supportedChannels": ["web"], "capabilities": []}

    async def capabilities(_: Request) -> JSONResponse:
        return JSONResponse(card)

    documents = Starlette(routes=[Route("/.well-known/capabilities.json", capabilities)])
    with start_blocking_portal() as portal, portal.wrap_async_context_manager(serving(documents)) as url:
        agent = {"apiVersion": "lmos.eclipse/v1", "kind": "Agent", "metadata": {"name": "self"}}
        spec = {"discover": True, "endpoint": {"url": url}}
        (folder / "agent.yaml").write_text(yaml.safe_dump(agent | {"spec": spec}))
        assert lmos("apply", "-f", "agent.yaml").code == 0
    assert "Bills" in lmos("describe", "agent", "self").out


def test_channels_are_resolved_at_once_when_nothing_runs(applied: Lmos) -> None:
    assert applied("get", "channels").timeless == snapshot("""\
NAME       RESOLVE_STATUS   TENANT   CHANNEL   SUBSET   AGE
acme-ivr   UNRESOLVED       acme     ivr       stable   0s
acme-web   RESOLVED         acme     web       stable   0s
""")


def test_wide_output_has_more_columns(applied: Lmos) -> None:
    assert applied("get", "ag", "-o", "wide").timeless == snapshot("""\
NAME       READY   CHANNELS   TENANTS    PROTOCOL   URL                  REASON     AGE
billing    True    ["web"]    ["acme"]   arc        http://127.0.0.1:9   Declared   0s
contract   True    ["web"]               arc        http://127.0.0.1:9   Declared   0s
""")


def test_several_kinds_are_shown_as_tables_of_their_own(applied: Lmos) -> None:
    assert applied("get", "channels,channelroutings").timeless == snapshot("""\
NAME                            RESOLVE_STATUS   TENANT   CHANNEL   SUBSET   AGE
channel.lmos.eclipse/acme-ivr   UNRESOLVED       acme     ivr       stable   0s
channel.lmos.eclipse/acme-web   RESOLVED         acme     web       stable   0s

NAME                                   TENANT   CHANNEL   SUBSET   AGENTS             AGE
channelrouting.lmos.eclipse/acme-ivr   acme     ivr       stable                      0s
channelrouting.lmos.eclipse/acme-web   acme     web       stable   billing,contract   0s
""")


def test_all_namespaces_show_theirs(applied: Lmos) -> None:
    applied("apply", "-n", "other", "-f", "manifests.yaml")
    assert applied("get", "channels", "-A").timeless == snapshot("""\
NAMESPACE   NAME       RESOLVE_STATUS   TENANT   CHANNEL   SUBSET   AGE
default     acme-ivr   UNRESOLVED       acme     ivr       stable   0s
default     acme-web   RESOLVED         acme     web       stable   0s
other       acme-ivr   UNRESOLVED       acme     ivr       stable   0s
other       acme-web   RESOLVED         acme     web       stable   0s
""")


def test_headers_can_be_left_out(applied: Lmos) -> None:
    assert "NAME" not in applied("get", "agents", "--no-headers").out


def test_the_environment_names_the_namespace(applied: Lmos, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LMOS_NAMESPACE", "other")
    assert applied("get", "agents").err == "No resources found in other namespace.\n"


@pytest.mark.parametrize(
    ("selector", "names"),
    [
        ("channel=web", ["acme-web"]),
        ("tenant=acme,channel!=web", ["acme-ivr"]),
        ("channel in (web, ivr)", ["acme-ivr", "acme-web"]),
        ("channel notin (web), tenant", ["acme-ivr"]),
        ("!channel", []),
    ],
)
def test_a_selector_picks_by_labels(applied: Lmos, selector: str, names: list[str]) -> None:
    out = applied("get", "channels", "-l", selector, "-o", "name").out
    assert [line.partition("/")[2] for line in out.splitlines()] == names


def test_one_object_is_a_document_of_its_own(applied: Lmos) -> None:
    found = json.loads(applied("get", "channel/acme-web", "-o", "json").out)
    assert list(found) == ["apiVersion", "kind", "metadata", "spec", "status"]
    assert found["status"]["resolveStatus"] == "RESOLVED"


def test_several_objects_are_a_list(applied: Lmos) -> None:
    found = yaml.safe_load(applied("get", "channels", "-o", "yaml").out)
    assert (found["kind"], found["apiVersion"]) == ("List", "v1")
    assert [item["metadata"]["name"] for item in found["items"]] == ["acme-ivr", "acme-web"]


def test_what_was_read_as_yaml_can_be_applied(applied: Lmos, folder: Path) -> None:
    (folder / "copy.yaml").write_text(applied("get", "agents", "-o", "yaml").out)
    outcome = applied("apply", "-f", "copy.yaml")
    assert {line.split()[-1] for line in outcome.out.splitlines()} == {"unchanged"}


def test_nothing_stored_is_no_error_and_leaves_no_folder(lmos: Lmos, folder: Path) -> None:
    outcome = lmos("get", "channels")
    assert (outcome.code, outcome.out, outcome.err) == (0, "", "No resources found in default namespace.\n")
    assert not (folder / ".lmos").exists()


def test_nothing_stored_is_an_empty_list_for_machines(lmos: Lmos) -> None:
    assert json.loads(lmos("get", "channels", "-o", "json").out)["items"] == []


def test_a_missing_object_fails_and_the_others_are_shown(applied: Lmos) -> None:
    outcome = applied("get", "channel", "acme-web", "nope", "-o", "name")
    assert (outcome.code, outcome.out) == (1, "channel.lmos.eclipse/acme-web\n")
    assert outcome.err == snapshot("""\
error: channel 'nope' not found in namespace 'default'
  fix: see `lmos get channels -A` for those that exist
""")


@pytest.mark.parametrize(
    "words",
    [
        pytest.param(("get",), id="no type"),
        pytest.param(("get", "chnnels"), id="misspelt type"),
        pytest.param(("get", "agent", "a", "-A"), id="a name in all namespaces"),
        pytest.param(("get", "agent", "a", "-l", "b=c"), id="a name and a selector"),
        pytest.param(("get", "agent/a", "b"), id="two ways to name"),
        pytest.param(("get", "agents", "-l", "a=b=c"), id="bad selector"),
        pytest.param(("apply",), id="no manifest"),
        pytest.param(("delete",), id="nothing to delete"),
        pytest.param(("delete", "agents"), id="a type alone"),
        pytest.param(("delete", "agent", "a", "--all"), id="a name and all"),
    ],
)
def test_a_contradictory_command_says_how_to_write_it(lmos: Lmos, words: tuple[str, ...]) -> None:
    outcome = lmos(*words)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
    assert "\n  fix: " in outcome.err


def test_a_channel_is_described_with_near_misses(applied: Lmos) -> None:
    assert applied("describe", "channel", "acme-ivr").timeless == snapshot("""\
Name:        acme-ivr
Namespace:   default
Kind:        Channel (lmos.eclipse/v1)
Labels:      channel=ivr
             subset=stable
             tenant=acme
Created:     2026-01-01T00:00:00Z (0s ago)
Generation:  1
Tenant:      acme
Channel:     ivr
Subset:      stable
Status:      UNRESOLVED
Requires:
  CAPABILITY   VERSION   STRATEGY   PROVIDED BY
  view-bill    ^2.0.0    HIGHEST    <none>
Near Misses:
  CAPABILITY   AGENT     PROVIDES   REASON                MESSAGE
  view-bill    billing   1.2.0      ChannelNotSupported   serves channels 'web'; the label 'channel' is 'ivr'; provides '1.2.0', outside '^2.0.0'
Conditions:
  TYPE       STATUS   SINCE   REASON                 MESSAGE
  Resolved   False    0s      NoAgentServesChannel   NoMatchingAgent: no agent provides 'view-bill' '^2.0.0' to this channel
""")


def test_an_agent_is_described_with_the_channels_that_it_serves(applied: Lmos) -> None:
    assert applied("describe", "agent/billing").timeless == snapshot("""\
Name:         billing
Namespace:    default
Kind:         Agent (lmos.eclipse/v1)
Labels:       <none>
Created:      2026-01-01T00:00:00Z (0s ago)
Generation:   1
Description:  Bills and payments
Tenants:      acme
Channels:     web
Subset:       stable
Endpoint:     arc http://127.0.0.1:9
Provides:
  CAPABILITY   VERSION   EXAMPLES   DESCRIPTION
  view-bill    1.2.0     3          Shows a bill
Serves:
  NAME       TENANT   CHANNEL   SUBSET   CAPABILITIES
  acme-web   acme     web       stable   view-bill@1.2.0
Near Misses:
  channel acme-ivr, view-bill: serves channels 'web'; the label 'channel' is 'ivr'; provides '1.2.0', outside '^2.0.0' (ChannelNotSupported)
Conditions:
  TYPE    STATUS   SINCE   REASON     MESSAGE
  Ready   True     0s      Declared   capabilities: 1, channels: 1
""")


def test_describing_what_is_not_there_fails(applied: Lmos) -> None:
    outcome = applied("describe", "agent", "nope")
    assert (outcome.code, outcome.out) == (1, "")
    assert "agent 'nope' not found" in outcome.err


def test_deleting_an_agent_unresolves_its_channel(applied: Lmos) -> None:
    outcome = applied("delete", "agent", "contract")
    assert (outcome.code, outcome.out) == (0, 'agent.lmos.eclipse "contract" deleted\n')
    assert "UNRESOLVED" in applied("get", "channel", "acme-web").out


def test_deleting_a_channel_takes_its_routing_along(applied: Lmos) -> None:
    applied("delete", "channel/acme-web")
    assert applied("get", "cr", "-o", "name").out == "channelrouting.lmos.eclipse/acme-ivr\n"


def test_deleting_by_manifest_removes_all_of_it(applied: Lmos) -> None:
    assert applied("delete", "-f", "manifests.yaml").code == 0
    assert applied("get", "all").err == "No resources found in default namespace.\n"


def test_deleting_by_selector_removes_what_it_finds(applied: Lmos) -> None:
    assert applied("delete", "channels", "-l", "channel=ivr").out == 'channel.lmos.eclipse "acme-ivr" deleted\n'


def test_deleting_all_of_a_type_leaves_other_types(applied: Lmos) -> None:
    applied("delete", "agents", "--all")
    assert applied("get", "agents,channels", "-o", "name").out.count("channel.") == 2


def test_deleting_what_is_not_there_fails_unless_told_otherwise(applied: Lmos) -> None:
    assert applied("delete", "agent", "nope").code == 1
    assert applied("delete", "agent", "nope", "--ignore-not-found").code == 0


def test_a_data_folder_that_is_a_file_is_one_line(lmos: Lmos, folder: Path) -> None:
    (folder / "file").touch()
    outcome = lmos("apply", "-f", "manifests.yaml", "--data", "file")
    assert (outcome.code, outcome.err) == (1, "error: file: File exists\n")


def test_a_damaged_database_is_one_line(lmos: Lmos, folder: Path) -> None:
    (folder / ".lmos").mkdir()
    (folder / ".lmos" / "lmos.db").write_bytes(b"this is no database" * 100)
    outcome = lmos("get", "agents")
    assert outcome.code == 1
    assert outcome.err.startswith("error: ")
    assert "Traceback" not in outcome.err


def test_watching_shows_changes_as_they_come(applied: Lmos, folder: Path) -> None:
    with LmosProcess("get", "agents", "--watch", folder=folder, name="watch") as command:
        command.until(lambda: "contract" in command.out, "the first table")
        applied("delete", "agent", "contract")
        command.until(lambda: command.out.count("\ncontract ") == 2, "the deletion", seconds=3)
        command.send(signal.SIGINT)
        assert command.wait() == 130
    assert command.out.count("NAME") == 1


def test_one_type_at_a_time_can_be_watched(applied: Lmos) -> None:
    outcome = applied("get", "all", "--watch")
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: --watch shows one type at a time\n")
