"""The benchmark's baselines answer as Eclipse LMOS's own routers did."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from benchmarks.router.baselines import Thresholds, majority, nearest, ranked

GOLDEN = Path(__file__).parent.parent / "data" / "jvm_golden" / "router.jsonl.gz"


def recorded(operation: str) -> list[Any]:
    with gzip.open(GOLDEN, "rt", encoding="utf-8") as lines:
        cases = [json.loads(line) for line in lines]
    return [
        pytest.param(c["request"], c["answer"], id=c["request"]["id"]) for c in cases if c["request"]["op"] == operation
    ]


def thresholds(request: dict[str, Any]) -> Thresholds:
    own = request.get("thresholds")
    if own is None:
        return Thresholds()
    return Thresholds(own["minScore"], own["minMeanScore"], own["minDistance"], own["minRelDistance"])


@pytest.mark.parametrize(("request_", "answer"), recorded("rank"))
def test_the_ranker_decides_as_the_original(request_: dict[str, Any], answer: dict[str, Any]) -> None:
    hits = [(hit["agentId"], hit["score"]) for hit in request_["embeddings"]]
    found = ranked(hits, thresholds(request_))
    assert ([] if found is None else [found]) == answer["result"]


@pytest.mark.parametrize(("request_", "answer"), recorded("routeVector"))
def test_the_nearest_neighbours_decide_as_the_original(request_: dict[str, Any], answer: dict[str, Any]) -> None:
    known = {agent["name"] for agent in request_["agents"]}
    seeds = [seed for seed in request_["seeds"] if seed["agentName"] in known]
    query = np.array(request_["vectors"][request_["message"]], np.float64)
    rows = np.array([request_["vectors"][seed["text"]] for seed in seeds], np.float64).reshape(len(seeds), len(query))
    cosine = (rows @ query) / (np.linalg.norm(rows, axis=1) * np.linalg.norm(query))
    hits = nearest(cosine[None, :].astype(np.float32), [seed["agentName"] for seed in seeds], request_["limit"])[0]
    assert majority([agent for agent, _ in hits]) == answer["result"]["agent"]
