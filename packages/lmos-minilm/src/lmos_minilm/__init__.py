"""The files of all-MiniLM-L6-v2 (int8, ONNX). Nothing loads with this module but the path to them."""

from __future__ import annotations

from pathlib import Path

__all__ = ["FOLDER"]

FOLDER = Path(__file__).parent
