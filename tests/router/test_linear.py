from __future__ import annotations

import numpy as np
import pytest

from lmos.router.linear import LinearModel, fit_linear, minimise, softmax


def clouds(seed: int, count: int = 60) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    labels = np.arange(count) % 3
    centres = rng.normal(size=(3, 8))
    vectors = centres[labels] + 0.2 * rng.normal(size=(count, 8))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), labels.astype(np.int64)


def loss(model: LinearModel, vectors: np.ndarray, labels: np.ndarray, strength: float) -> float:
    probabilities = softmax(model.scores(vectors))[np.arange(len(labels)), labels]
    return float(-strength * np.log(probabilities).sum() + 0.5 * (model.weights**2).sum())


def test_a_quadratic_is_minimised_exactly() -> None:
    target = np.array([3.0, -2.0, 0.5], np.float32)
    scale = np.array([1.0, 10.0, 100.0], np.float32)

    def objective(point: np.ndarray) -> tuple[float, np.ndarray]:
        away = point - target
        return float((scale * away**2).sum()), (2 * scale * away).astype(np.float32)

    assert minimise(objective, np.zeros(3, np.float32), 100, tolerance=1e-6) == pytest.approx(target, abs=1e-3)


def test_no_small_step_in_any_direction_lowers_the_loss() -> None:
    vectors, labels = clouds(0)
    model = fit_linear(vectors, labels, 3, iterations=300)
    best = loss(model, vectors, labels, 30)
    rng = np.random.default_rng(1)
    for _ in range(20):
        step = 0.05 * rng.normal(size=model.weights.shape).astype(np.float32)
        assert (
            loss(LinearModel((model.weights + step).astype(np.float32), model.bias), vectors, labels, 30) > best - 1e-2
        )


def test_separable_classes_are_separated() -> None:
    vectors, labels = clouds(2)
    assert (fit_linear(vectors, labels, 3).scores(vectors).argmax(axis=1) == labels).all()


def test_a_warm_start_at_the_solution_stays_there() -> None:
    vectors, labels = clouds(3)
    model = fit_linear(vectors, labels, 3, iterations=300)
    again = fit_linear(vectors, labels, 3, start=model, iterations=5)
    assert again.weights == pytest.approx(model.weights, abs=0.05)


def test_one_class_is_certain() -> None:
    vectors, labels = clouds(4)
    model = fit_linear(vectors, np.zeros_like(labels), 1)
    assert softmax(model.scores(vectors)) == pytest.approx(1.0)
