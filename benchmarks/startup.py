"""What it costs to begin: `import lmos`, the command, `lmos up` to ready, and its memory with three agents."""

from __future__ import annotations

import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.processes import LMOS, cpu_seconds, free_port, running
from benchmarks.record import Session

ACME = Path(__file__).parent.parent / "examples" / "acme"
_CPU = "import time; b = time.process_time(); {statement}; print(time.process_time() - b)"


def _import_cpu(statement: str) -> float:
    program = _CPU.format(statement=statement)
    return float(subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout)


def _wall(*command: str) -> float:
    begin = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    return time.perf_counter() - begin


def _up(folder: Path, encoder: str) -> tuple[float, float, float]:
    """CPU seconds to ready, wall seconds to ready, resident MiB after it."""
    port = free_port()
    agents = [str(path) for path in sorted(ACME.glob("*.agent.py"))]
    manifests = str(ACME / "manifests" / "channels.yaml")
    files = [part for path in [manifests, *agents] for part in ("-f", path)]
    begin = time.perf_counter()
    command = [LMOS, "up", "--port", str(port), "--data", str(folder / "data"), *files]
    with running(command, f"http://127.0.0.1:{port}/readyz", folder / "up.log", LMOS_ENCODER=encoder) as process:
        wall = time.perf_counter() - begin
        cpu = cpu_seconds(process)
        time.sleep(2)
        return cpu, wall, process.memory_info().rss / 2**20


def main(rounds: int = 7) -> Session:
    session = Session("startup")
    session.add("`import lmos`, CPU", "s", [_import_cpu("import lmos") for _ in range(rounds)], goal="<= 0.1")
    session.add("`from lmos import Agent`, CPU", "s", [_import_cpu("from lmos import Agent") for _ in range(rounds)])
    session.add("`lmos --version`, wall", "s", [_wall(LMOS, "--version") for _ in range(rounds)], goal="<= 0.3")
    session.add("`lmos --help`, wall", "s", [_wall(LMOS, "--help") for _ in range(rounds)], goal="<= 0.3")
    with tempfile.TemporaryDirectory() as folder:
        data = str(Path(folder) / "data")
        subprocess.run([LMOS, "apply", "--data", data, "-f", str(ACME / "manifests")], check=True, capture_output=True)
        runs = [_wall(LMOS, "get", "channels", "--data", data) for _ in range(rounds)]
        session.add("`lmos get channels`, wall", "s", runs)
    for encoder, label in (("static", "static encoder"), ("auto", "static and MiniLM")):
        ups: list[tuple[float, float, float]] = []
        for _ in range(max(3, rounds // 2)):
            with tempfile.TemporaryDirectory() as folder:
                ups.append(_up(Path(folder), encoder))
        session.add(f"`lmos up`, {label}: to ready, CPU", "s", [up[0] for up in ups], goal="<= 3")
        session.add(f"`lmos up`, {label}: to ready, wall", "s", [up[1] for up in ups])
        session.add(f"`lmos up`, {label}: RSS", "MiB", [up[2] for up in ups], goal="<= 250")
    return session
