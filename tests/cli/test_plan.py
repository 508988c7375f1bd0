"""`lmos plan`: what would change, without writing anything."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest
from inline_snapshot import snapshot

from tests.cli.conftest import MANIFESTS, Lmos


@pytest.fixture
def change(folder: Path) -> Path:
    """A manifest that raises the version of billing out of the range of channel acme-web."""
    path = folder / "change.yaml"
    path.write_text(MANIFESTS.split("---")[0].replace("1.2.0", "2.0.0"))
    return path


def test_a_channel_that_would_become_unresolved_is_exit_code_2(applied: Lmos, change: Path) -> None:
    outcome = applied("plan", "-f", str(change))
    assert (outcome.code, outcome.out, outcome.err) == snapshot(
        (
            2,
            """\
channel acme-web  becomes unresolved  RESOLVED -> UNRESOLVED
  -   view-bill   ^1.0.0   billing@1.2.0 -> <nobody>
  ! no agent provides 'view-bill' '^1.0.0' to this channel
      billing provides '2.0.0', outside '^1.0.0'

1 of 2 channels changes (becomes unresolved: 1).
""",
            "would become unresolved: acme-web\n",
        )
    )


def test_a_plan_writes_nothing(applied: Lmos, folder: Path, change: Path) -> None:
    before = hashlib.sha256((folder / ".lmos" / "lmos.db").read_bytes()).digest()
    applied("plan", "-f", str(change))
    assert hashlib.sha256((folder / ".lmos" / "lmos.db").read_bytes()).digest() == before
    assert "1.2.0" in applied("get", "agent", "billing", "-o", "yaml").out


def test_a_newer_version_in_range_rewires(applied: Lmos, folder: Path) -> None:
    (folder / "change.yaml").write_text(MANIFESTS.split("---")[0].replace("1.2.0", "1.3.0"))
    outcome = applied("plan", "-f", "change.yaml")
    assert (outcome.code, outcome.out) == snapshot(
        (
            0,
            """\
channel acme-web  rewired  RESOLVED
  ~   view-bill   ^1.0.0   billing@1.2.0 -> billing@1.3.0

1 of 2 channels changes (rewired: 1).
""",
        )
    )


def test_a_missing_data_folder_is_an_empty_platform(lmos: Lmos, folder: Path) -> None:
    outcome = lmos("plan", "-f", "manifests.yaml", "--data", "missing")
    assert (outcome.code, outcome.out) == snapshot(
        (
            2,
            """\
channel acme-ivr  added  UNRESOLVED
  ! no agent provides 'view-bill' '^2.0.0' to this channel
      billing serves channels 'web'; the label 'channel' is 'ivr'; provides '1.2.0', outside '^2.0.0'
channel acme-web  added  RESOLVED
  +   view-bill       ^1.0.0   <nobody> -> billing@1.2.0
  +   view-contract   ^2.0.0   <nobody> -> contract@2.0.0

2 of 2 channels change (added: 2).
""",
        )
    )
    assert not (folder / "missing").exists()


def test_an_empty_data_folder_stays_empty(lmos: Lmos, folder: Path) -> None:
    (folder / "empty").mkdir()
    assert lmos("plan", "-f", "manifests.yaml", "--data", "empty").code == 2
    assert list((folder / "empty").iterdir()) == []


def test_a_change_without_effect_says_so(applied: Lmos) -> None:
    outcome = applied("plan", "-f", "manifests.yaml")
    assert (outcome.code, outcome.out) == (0, "No channel changes.\n")


def test_a_deletion_can_be_planned(applied: Lmos) -> None:
    outcome = applied("plan", "--delete", "agent/contract")
    assert (outcome.code, outcome.out) == snapshot(
        (
            2,
            """\
channel acme-web  becomes unresolved  RESOLVED -> UNRESOLVED
  -   view-contract   ^2.0.0   contract@2.0.0 -> <nobody>
  ! no agent provides 'view-contract' in any version

1 of 2 channels changes (becomes unresolved: 1).
""",
        )
    )


def test_the_plan_of_a_python_agent_needs_no_platform(lmos: Lmos) -> None:
    lmos("agent", "new", "shop")
    assert lmos("plan", "-f", "shop.agent.py").out == "There are no channels.\n"


def test_machines_read_the_plan_as_json(applied: Lmos, change: Path) -> None:
    found = json.loads(applied("plan", "-f", str(change), "-o", "json").out)
    assert found == snapshot(
        {
            "channels": [
                {
                    "namespace": "default",
                    "name": "acme-web",
                    "outcome": "becomes unresolved",
                    "oldStatus": "RESOLVED",
                    "newStatus": "UNRESOLVED",
                    "capabilities": [
                        {
                            "name": "view-bill",
                            "requiredVersion": "^1.0.0",
                            "old": {"agent": "billing", "version": "1.2.0"},
                            "new": None,
                        }
                    ],
                    "unresolved": [
                        {
                            "name": "view-bill",
                            "requiredVersion": "^1.0.0",
                            "reason": "NoMatchingAgent",
                            "message": "no agent provides 'view-bill' '^1.0.0' to this channel",
                            "nearMisses": [
                                {
                                    "capability": "view-bill",
                                    "agent": "billing",
                                    "providedVersion": "2.0.0",
                                    "reason": "VersionOutOfRange",
                                    "message": "provides '2.0.0', outside '^1.0.0'",
                                }
                            ],
                        }
                    ],
                }
            ],
            "newlyUnresolved": [{"namespace": "default", "name": "acme-web"}],
        }
    )


@pytest.mark.parametrize(
    "words",
    [
        pytest.param((), id="nothing to plan"),
        pytest.param(("-f", "nope.yaml"), id="no such file"),
        pytest.param(("--delete", "agent"), id="no name"),
        pytest.param(("--delete", "agent/nope"), id="no such object"),
        pytest.param(("-f", "manifests.yaml", "--delete", "agent/billing"), id="changed and deleted"),
        pytest.param(("-f", "bad.yaml"), id="bad manifest"),
    ],
)
def test_bad_input_is_exit_code_1(applied: Lmos, folder: Path, words: tuple[str, ...]) -> None:
    (folder / "bad.yaml").write_text("kind: Nothing\n")
    outcome = applied("plan", *words)
    assert (outcome.code, outcome.out) == (1, "")
    assert outcome.err.startswith("error: ")
