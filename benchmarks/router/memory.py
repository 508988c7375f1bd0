"""`python -m benchmarks.router.memory DATA`: memory of a process that routes, and does nothing else.

It learns one roster, CLINC150 with ten examples for each of 150 capabilities, and answers a hundred messages. The sets
are read by the process that starts it, so that only what a user would have is in memory.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import sys
from pathlib import Path
from typing import Any

from lmos.encoders.registry import encoder_named
from lmos.router.base import ClassificationRequest, Roster, RosterAgent, RosterCapability
from lmos.router.vector import VectorClassifier

SETTINGS: dict[str, tuple[str, ...]] = {"static": ("static",), "onnx": ("onnx",), "cascade": ("static", "onnx")}
MESSAGES = 100


def scenario(data: Path) -> dict[str, Any]:
    """Examples by agent and capability, and messages: what the measured process is told."""
    from benchmarks.router.datasets import NONE, of_split, read_rows  # the measured process has no use for it

    examples: dict[str, dict[str, list[str]]] = {}
    for row in of_split(read_rows(data / "clinc150" / "fewshot.csv"), "train_10"):
        examples.setdefault(row.agent, {}).setdefault(row.capability, []).append(row.text)
    test = [row.text for row in of_split(read_rows(data / "clinc150" / "data.csv"), "test") if row.agent != NONE]
    return {"agents": examples, "messages": test[:: len(test) // MESSAGES][:MESSAGES]}


async def measured(data: Path, setting: str) -> dict[str, Any]:
    """The figures of one setting, from a process of its own."""
    command = (sys.executable, "-m", "benchmarks.router.memory", "-", "--encoder", setting)
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
    output, _ = await process.communicate(json.dumps(scenario(data)).encode())
    return json.loads(output)


async def route(told: dict[str, Any], setting: str) -> dict[str, Any]:
    """Learn, answer, and look at this process (Linux)."""
    agents = tuple(
        RosterAgent(name, capabilities=tuple(RosterCapability(c, examples=tuple(texts)) for c, texts in own.items()))
        for name, own in told["agents"].items()
    )
    roster = Roster(agents)
    classifier = VectorClassifier(*(encoder_named(name) for name in SETTINGS[setting]))
    await classifier.prepare(roster)
    learnt = megabytes("VmRSS")
    for message in told["messages"]:
        await classifier.classify(ClassificationRequest(message, roster))
    return {
        "encoder": setting,
        "learnt_megabytes": learnt,
        "megabytes": megabytes("VmRSS"),
        "peak_megabytes": megabytes("VmHWM"),
    }


def megabytes(field: str) -> float:
    """`VmRSS`: memory of this process that is in RAM; `VmHWM`: the most that ever was."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    return int(status.split(f"{field}:")[1].split()[0]) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.router.memory", description=__doc__)
    parser.add_argument("data", help="folder with the routing sets; `-` reads what to route from the standard input")
    parser.add_argument("--encoder", default="onnx", choices=sorted(SETTINGS))
    arguments = parser.parse_args()
    if arguments.data == "-":
        work = route(json.load(sys.stdin), arguments.encoder)
    else:
        work = measured(Path(arguments.data), arguments.encoder)
    print(json.dumps(asyncio.run(work), indent=1))


if __name__ == "__main__":
    main()
