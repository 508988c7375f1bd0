"""Plays `conversation.yaml` against a real platform: `make demo`. Offline, on free ports, in a temporary folder.

It starts `lmos up`, applies the manifests with `lmos apply`, takes every turn over the HTTP API, and prints who
answered and why. Exit code 0 means that every step did what the script expects; 1 says which did not.
"""

from __future__ import annotations

import json
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import httpx2
from rich.console import Console
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table
from rich.text import Text
from script import Customer, Do, Say, Script

from lmos.testing.processes import ProcessFailed, until
from processes import DemoFailed, Lmos

HERE = Path(__file__).parent
COLUMNS = 80
DECLARED_URL = "http://127.0.0.1:8090"
"""Where support.yaml says that the support agent is; the demo runs it on a free port."""


@dataclass(frozen=True)
class Outcome:
    """What came of a turn: what the customer got, and what the turn log says of it."""

    status: int
    body: dict[str, Any]
    events: list[dict[str, Any]]
    seconds: float

    def of(self, kind: str) -> list[dict[str, Any]]:
        """The events of one type."""
        return [event for event in self.events if event["type"] == kind]

    @property
    def text(self) -> str:
        """What the customer reads: the answer, or the error's body."""
        return self.body["content"] if self.status == 200 else json.dumps(self.body)

    @property
    def agent(self) -> str | None:
        """The agent that was asked, `None` when the platform answered itself."""
        return next((call["agent"] for call in self.of("AgentCalled")), None)

    @property
    def route(self) -> str | None:
        return next((route["outcome"] for route in self.of("RouteDecided")), None)


def take_turn(http: httpx2.Client, step: Say, customer: Customer, turn: str) -> Outcome:
    """One turn as a channel takes it, then its events from the log."""
    conversation = f"/apis/v1/{customer.tenant}/chat/{step.conversation}"
    started = time.perf_counter()
    response = http.post(
        f"{conversation}/message",
        headers={"x-turn-id": turn} | ({"x-subset": step.subset} if step.subset else {}),
        json={
            "inputContext": {"messages": [{"role": "user", "content": step.say}]},
            "systemContext": {"channelId": step.channel},
            "userContext": {"userId": step.customer},
        },
    )
    seconds = time.perf_counter() - started
    stream = http.get(f"{conversation}/turns/{turn}/events")
    lines = stream.text.splitlines() if stream.status_code == 200 else []
    events = [json.loads(line.removeprefix("data: ")) for line in lines if line.startswith("data: ")]
    return Outcome(response.status_code, response.json(), events, seconds)


def check(step: Say, outcome: Outcome) -> None:
    """Raises `DemoFailed` with all that is not as the script expects."""
    want = step.expect
    tools = [call["tool"] for call in outcome.of("ToolCalled")]
    found = [
        ("HTTP status", want.status, outcome.status, want.status == outcome.status),
        ("router's outcome", want.outcome, outcome.route, want.outcome == outcome.route),
        ("agent", want.agent, outcome.agent, want.agent == outcome.agent),
        ("tool", want.tool, tools, want.tool is None or want.tool in tools),
        ("text", want.answer, outcome.text, want.answer in outcome.text),
    ]
    wrong = [f"  {name}: expected {expected!r}, got {got!r}" for name, expected, got, right in found if not right]
    if wrong:
        raise DemoFailed("\n".join([f"The turn {step.say!r} did not do what the script expects:", *wrong]))


class Printer:
    """Lays out turns and commands on a console."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._place = ""

    def scene(self, number: int, title: str) -> None:
        self._console.print()
        self._console.print(Rule(f"[bold]{number}  {title}", align="left", style="blue"))
        self._place = ""

    def turn(self, step: Say, customer: Customer, outcome: Outcome) -> None:
        subset = f", subset {step.subset}" if step.subset else ""
        place = f"{customer.tenant}/{step.channel}{subset}, conversation {step.conversation}"
        if place != self._place:
            self._console.print()
            self._console.print(Padding(Text(place, style="dim"), (0, 0, 0, 16)))
        self._place = place
        rows = Table.grid(padding=(0, 2), expand=True)
        rows.add_column(width=14, justify="right")
        rows.add_column(ratio=1)
        rows.add_row(Text(customer.name, style="bold cyan"), step.say)
        if outcome.status == 200:
            rows.add_row(Text(_short(outcome.agent or "LMOS"), style="bold green"), Text(outcome.text))
        else:
            rows.add_row(Text(f"HTTP {outcome.status}", style="bold red"), Text(outcome.text))
        for route in outcome.of("RouteDecided"):
            rows.add_row(Text("why", style="dim"), Text(route["reason"], style="dim"))
        rows.add_row(Text("how", style="dim"), Text(_how(outcome), style="dim"))
        self._console.print()
        self._console.print(rows)

    def command(self, command: str, output: str) -> None:
        self._console.print(Padding(Text(f"$ {command}", style="bold"), (1, 0, 0, 2)))
        for line in output.rstrip().splitlines():
            self._console.print(Text(f"  {line}", style="dim"), no_wrap=True, overflow="ellipsis")


class Demo:
    """One run of a script on a platform that is up at `url`."""

    def __init__(self, script: Script, lmos: Lmos, url: str, printer: Printer) -> None:
        self._script = script
        self._lmos = lmos
        self._http = httpx2.Client(base_url=url, timeout=15)
        self._printer = printer
        self.turns = 0

    def play(self) -> None:
        """All scenes. Raises `DemoFailed` at the first step that does not do what the script expects."""
        actions = {"get-channels": self._channels, "start-agent": self._start, "stop-agent": self._stop}
        for number, scene in enumerate(self._script.scenes, 1):
            self._printer.scene(number, scene.title)
            for step in scene.steps:
                if isinstance(step, Say):
                    self._say(step)
                else:
                    actions[step.do](step)

    def _say(self, step: Say) -> None:
        self.turns += 1
        customer = self._script.customers[step.customer]
        outcome = take_turn(self._http, step, customer, f"turn-{self.turns}")
        self._printer.turn(step, customer, outcome)
        check(step, outcome)

    def _channels(self, step: Do) -> None:
        """The channels' table, once every status is there: the platform sees a change within a second."""
        table = ""

        def as_expected() -> bool:
            nonlocal table
            table = self._lmos.run("get", "channels")
            found = {line.split()[0]: line.split()[1:] for line in table.splitlines() if line.strip()}
            return all(status in found.get(name, []) for name, status in step.channels.items())

        try:
            until(as_expected, f"the statuses {step.channels}", seconds=10)
        finally:
            self._printer.command("lmos get channels", table)

    def _start(self, step: Do) -> None:
        """Run the agent as a process of its own and apply its manifest."""
        file = HERE / f"{step.agent}.agent.py"
        url = self._lmos.start(step.agent, "agent", "run", str(file), "--port", "0").ready()
        self._printer.command(f"lmos agent run {file.name}", f"agent {step.agent} answers at {url}")
        manifest = (HERE / "manifests" / f"{step.agent}.yaml").read_text(encoding="utf-8")
        applied = self._lmos.run("apply", "--filename=-", stdin=manifest.replace(DECLARED_URL, url))
        self._printer.command(f"lmos apply -f manifests/{step.agent}.yaml", applied)
        self._channels(step)

    def _stop(self, step: Do) -> None:
        child = self._lmos.children[step.agent]
        child.stop()
        self._printer.command(f"kill {child.pid}", f"agent {step.agent} is gone, while its Agent is still declared")


def _how(outcome: Outcome) -> str:
    """Which tools were called with what, over which wire, and how long it took."""
    parts = [
        f"{call['tool']}({', '.join(f'{name}={value!r}' for name, value in call['arguments'].items())})"
        for call in outcome.of("ToolCalled")
    ]
    parts += [f"{call['protocol']} at {call['address']}" for call in outcome.of("AgentCalled") if call["address"]]
    if outcome.agent is None:
        parts.append("no agent asked")
    return ", ".join([*parts, f"{outcome.seconds * 1000:.0f} ms"])


def _short(name: str) -> str:
    return name if len(name) <= 14 else f"{name[:13]}…"


def run(console: Console) -> None:
    """The whole demo. Raises `DemoFailed`."""
    script = Script.read(HERE / "conversation.yaml")
    manifests = HERE / "manifests"
    started = time.monotonic()
    with TemporaryDirectory(prefix="lmos-demo-") as folder, Lmos(Path(folder)) as lmos:
        agents = ("-f", str(HERE / "billing.agent.py"), "-f", str(HERE / "contract.agent.py"))
        platform = lmos.start("platform", "up", "--port", "0", *agents)
        url = platform.ready()
        printer = Printer(console)
        printer.command("lmos up -f billing.agent.py -f contract.agent.py", f"ready at {url}, offline")
        applied = lmos.run("apply", "-f", str(manifests / "channels.yaml"), "-f", str(manifests / "rollout.yaml"))
        printer.command("lmos apply -f manifests/channels.yaml -f manifests/rollout.yaml", applied)
        demo = Demo(script, lmos, url, printer)
        try:
            demo.play()
        except httpx2.TransportError as error:
            raise DemoFailed(f"The platform does not answer: {error}. It said:\n{platform.last_lines(8)}") from None
    seconds = time.monotonic() - started
    console.print()
    console.print(Rule(f"[bold green]{demo.turns} turns, all as expected, {seconds:.1f} s", style="green"))


def _terminated(number: int, frame: object) -> NoReturn:
    """A request to end does what Ctrl-C does, so that the children end too."""
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, _terminated)
    console = Console(highlight=False, width=min(COLUMNS, Console().width))
    try:
        run(console)
    except (DemoFailed, ProcessFailed) as error:
        console.print(Text(f"\n{error}", style="bold red"))
        return 1
    except KeyboardInterrupt:
        console.print("\nStopped.")
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
