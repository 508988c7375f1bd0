"""Run as a file: waits for its parent's end, whatever ends it, then ends the cluster's processes and removes its
folder.

The parent holds the other end of its standard input, so the kernel tells. Parts die with their parent by themselves on
Linux (`launch.py`); elsewhere this is what ends them.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import sys
from pathlib import Path

__all__: list[str] = []


def _main() -> None:
    folder, keep = Path(sys.argv[1]), "--keep" in sys.argv
    sys.stdin.buffer.read()
    for file in folder.glob("*.pid"):
        with contextlib.suppress(ProcessLookupError, FileNotFoundError):
            os.killpg(int(file.read_text()), signal.SIGKILL)
    if not keep:
        shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    os.setsid()  # no signal of the terminal reaches it
    _main()
