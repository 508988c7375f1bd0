"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all, keep their raw runs and rewrite the page."""

from __future__ import annotations

import argparse
from importlib import import_module

from benchmarks import report

NAMES = ("startup", "turns", "resolving", "routing")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks, keep the raw runs.")
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"which: {', '.join(NAMES)} (default: all), or `report` to write the page only",
    )
    parser.add_argument("--rounds", type=int, help="runs of each figure (each benchmark has its own default)")
    arguments = parser.parse_args()
    if arguments.names == ["report"]:
        report.main()
        return
    for name in arguments.names or NAMES:
        print(f"\n{name}", flush=True)
        run = import_module(f"benchmarks.{name}").main
        session = run(arguments.rounds) if arguments.rounds else run()
        session.show()
        print(f"  raw runs: {session.save()}")
    report.main()


if __name__ == "__main__":
    main()
