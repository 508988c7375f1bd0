"""`lmos up` as a process: ready, answering, seeing changes, stopping. One platform serves most of these tests."""

from __future__ import annotations

import json
import re
import signal
import subprocess
from collections.abc import Generator
from pathlib import Path

import httpx2
import pytest

from lmos.testing.processes import LmosProcess, until
from tests.cli.conftest import Lmos

AGENT = """\
from lmos import Agent, Capability


def bill(month: int) -> str:
    \"\"\"Show the bill of a month.\"\"\"
    return f"The bill of month {month} is 39.95 EUR."


EXAMPLES = ["How much is my bill?", "Show me the bill of month 3", "What do I owe you?"]
agent = Agent(
    name="billing",
    capabilities=[Capability("view-bill", version="1.0.0", examples=EXAMPLES)],
    tools=[bill],
    channels=["web"],
)
"""
CHANNEL = """\
apiVersion: lmos.eclipse/v1
kind: Channel
metadata:
  name: {name}
  labels: {{tenant: acme, channel: {name}, subset: stable}}
spec:
  requiredCapabilities:
    - {{name: view-bill, version: ^1.0.0}}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("up")
    (folder / "billing.agent.py").write_text(AGENT)
    (folder / "web.yaml").write_text(CHANNEL.format(name="web"))
    (folder / "late.yaml").write_text(CHANNEL.format(name="late"))
    return folder


@pytest.fixture(scope="module")
def platform(home: Path) -> Generator[LmosProcess]:
    words = ["up", "-f", "billing.agent.py", "-f", "web.yaml", "--port", "0", "--operator-port", "0"]
    with LmosProcess(*words, folder=home) as command:
        command.until(lambda: "lmos chat --url" in command.out, "being ready")
        yield command


@pytest.fixture
def url(platform: LmosProcess) -> str:
    return platform.address()


def test_it_says_where_it_answers_and_which_channels_are_resolved(platform: LmosProcess) -> None:
    lines = platform.out.splitlines()
    assert re.fullmatch(r"lmos \S+ is ready after \d+\.\d s; Ctrl-C stops it", lines[0])
    assert [line.split() for line in lines if "RESOLVED" in line] == [["web", "acme", "stable", "RESOLVED", "billing"]]
    assert platform.err == ""


def test_it_is_ready_when_it_says_so(url: str) -> None:
    assert httpx2.get(f"{url}/readyz").status_code == 200


def test_its_curl_line_is_answered(platform: LmosProcess) -> None:
    line = next(line.strip() for line in platform.out.splitlines() if line.strip().startswith("curl"))
    done = subprocess.run(line, shell=True, capture_output=True, check=True, text=True, timeout=10)
    assert "month" in json.loads(done.stdout)["content"]


def test_the_operator_answers_on_a_port_of_its_own(platform: LmosProcess) -> None:
    found = re.search(r"^Operator +(\S+)$", platform.out, re.MULTILINE)
    assert found is not None
    channels = httpx2.get(f"{found[1]}/apis/v1/tenants/acme/channels").json()
    assert "web" in [channel["metadata"]["name"] for channel in channels]


def test_one_turn_shows_the_agent_before_its_answer(lmos: Lmos, url: str) -> None:
    outcome = lmos("chat", "--url", url, "--tenant", "acme", "--channel", "web", "Show me the bill of month 3")
    assert (outcome.code, outcome.out, outcome.err) == (0, "billing: The bill of month 3 is 39.95 EUR.\n", "")


def test_why_shows_the_decision_and_the_tools(lmos: Lmos, url: str) -> None:
    words = ("chat", "--why", "--url", url, "--tenant", "acme", "--channel", "web", "Show me the bill of month 3")
    lines = lmos(*words).out.splitlines()
    assert lines[0].startswith("  match billing (")
    assert "  bill(month=3)" in lines


def test_a_turn_as_json_is_one_object(lmos: Lmos, url: str) -> None:
    words = ("chat", "--url", url, "--tenant", "acme", "--channel", "web", "-o", "json", "--conversation", "c-1")
    found = json.loads(lmos(*words, "Show me the bill of month 3").out)
    assert (found["conversationId"], found["outcome"], found["agents"]) == ("c-1", "answered", ["billing"])
    assert found["content"] == "The bill of month 3 is 39.95 EUR."


def test_a_channel_that_does_not_exist_is_an_error(lmos: Lmos, url: str) -> None:
    outcome = lmos("chat", "--url", url, "--tenant", "acme", "--channel", "nope", "Hello")
    assert outcome.code == 1
    assert outcome.err.startswith("error: AGENT_NOT_FOUND: ")


def test_an_agent_is_asked_directly_over_arc(lmos: Lmos, url: str) -> None:
    outcome = lmos("chat", "--direct", "--url", url, "--agent", "billing", "Show me the bill of month 4")
    assert (outcome.code, outcome.out) == (0, "billing: The bill of month 4 is 39.95 EUR.\n")


def test_it_sees_what_other_commands_apply_and_delete(lmos: Lmos, home: Path, url: str) -> None:
    data = ("--data", str(home / ".lmos"))
    ask = ("chat", "--url", url, "--tenant", "acme", "--channel", "late", "--agent", "billing", "Show me month 5")
    assert lmos("apply", "-f", str(home / "late.yaml"), *data).code == 0
    until(lambda: '"UNRESOLVED"' in lmos("get", "channel/late", "-o", "json", *data).out, "seeing it", seconds=3)
    assert lmos(*ask).code == 1
    assert lmos("delete", "channel", "late", *data).code == 0
    until(lambda: "no routing" in lmos(*ask).err, "seeing that it is gone", seconds=3)


def test_a_second_platform_on_the_same_folder_is_refused(platform: LmosProcess, home: Path, lmos: Lmos) -> None:
    outcome = lmos("up", "--port", "0", "--data", str(home / ".lmos"))
    assert outcome.code == 1
    assert f"another platform (process {platform.pid}) runs on" in outcome.err


def test_a_port_that_is_taken_is_named(url: str, lmos: Lmos) -> None:
    port = url.rpartition(":")[2]
    outcome = lmos("up", "--port", port)
    assert outcome.code == 1
    assert outcome.err.startswith(f"error: cannot listen on 127.0.0.1:{port}")


def test_a_bad_manifest_ends_it_with_the_problem(lmos: Lmos, folder: Path) -> None:
    (folder / "bad.yaml").write_text("kind: Nothing\n")
    outcome = lmos("up", "--port", "0", "-f", "bad.yaml")
    assert (outcome.code, outcome.out) == (1, "")
    assert "bad.yaml:1:" in outcome.err


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=["SIGTERM", "Ctrl-C"])
def test_a_signal_stops_it_gracefully(number: int, tmp_path: Path) -> None:
    with LmosProcess("up", "--port", "0", folder=tmp_path) as command:
        command.until(lambda: "There is no channel yet" in command.out, "being ready")
        command.send(number)
        assert command.wait() == 0
        assert command.err == "stopping; again to stop at once\n"
