"""`python -m benchmarks [NAME ...]`: run the named benchmarks, or all, and keep their raw runs."""

from __future__ import annotations

import argparse
from importlib import import_module

NAMES = ("startup", "turns", "resolving", "routing")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run benchmarks, keep the raw runs.")
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which: {', '.join(NAMES)} (default: all)")
    parser.add_argument("--rounds", type=int, help="runs of each figure (each benchmark has its own default)")
    arguments = parser.parse_args()
    for name in arguments.names or NAMES:
        print(f"\n{name}", flush=True)
        run = import_module(f"benchmarks.{name}").main
        session = run(arguments.rounds) if arguments.rounds else run()
        session.show()
        print(f"  raw runs: {session.save()}")


if __name__ == "__main__":
    main()
