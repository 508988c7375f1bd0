"""A million watch events, without an API server: memory at the end over memory after a tenth, CPU an event."""

from __future__ import annotations

import asyncio
import json
import statistics
import sys

from benchmarks.operator.bench import REPOSITORY, Bench
from benchmarks.record import Session

__all__ = ["measure"]


async def measure(bench: Bench, session: Session) -> None:
    events = bench.scaled(1_000_000)
    command = [sys.executable, "-m", "benchmarks.operator.soak", str(events)]
    process = await asyncio.create_subprocess_exec(*command, cwd=REPOSITORY, stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    found = json.loads(output)
    sizes: list[float] = found["megabytes"]
    early, late = statistics.median(sizes[10:20]), statistics.median(sizes[-10:])
    before, after = found["tasks"]
    session.add("1,000,000 watch events: memory, last tenth over second", "%", [(late / early - 1) * 100], goal="<= 2")
    session.add("the same, memory over the run", "MB", sizes)
    session.add("the same, CPU an event with all that follows from it", "ms", [found["cpu"] / found["events"] * 1e3])
    session.add("the same, tasks left behind", "", [after - before], goal="<= 0")
