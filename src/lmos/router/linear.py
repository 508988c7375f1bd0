"""Multinomial logistic regression by L-BFGS, in NumPy. The capability model and the dialogue gate are fitted with it.

Ours because scikit-learn with SciPy would add 150 MiB for one function, and because a warm start matters here: an agent
that is added moves the solution only a little.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["LinearModel", "fit_linear", "minimise", "softmax"]

Floats = NDArray[np.float32]
Objective = Callable[[Floats], tuple[float, Floats]]

MEMORY = 8
BACKTRACKS = 12


@dataclass(frozen=True, slots=True)
class LinearModel:
    """`weights[d, C]` and `bias[C]`."""

    weights: Floats
    bias: Floats

    def scores(self, vectors: Floats) -> Floats:
        """`float32[n, C]`, each row with mean 0 (a softmax does not see a row's offset)."""
        scores = vectors @ self.weights + self.bias
        return scores - scores.mean(axis=1, keepdims=True)


def softmax(scores: Floats) -> Floats:
    """Probabilities of each row."""
    exponent = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponent / exponent.sum(axis=1, keepdims=True)


def fit_linear(
    vectors: Floats,
    labels: NDArray[np.int64],
    classes: int,
    *,
    sample_weights: Floats | None = None,
    strength: float = 30.0,
    start: LinearModel | None = None,
    iterations: int = 100,
) -> LinearModel:
    """Minimise `strength * sum(weight * log loss) + |weights|^2 / 2`. The bias is free of the penalty.

    `start` is a model to go on from; `iterations` bounds the steps.
    """
    count, size = vectors.shape
    rows = np.arange(int(count))
    weight = np.ones(count, np.float32) if sample_weights is None else sample_weights

    def objective(flat: Floats) -> tuple[float, Floats]:
        matrix = flat.reshape(size + 1, classes)
        scores = vectors @ matrix[:-1] + matrix[-1]
        scores -= scores.max(axis=1, keepdims=True)
        exponent = np.exp(scores)
        total = exponent.sum(axis=1)
        loss = float((weight * (np.log(total) - scores[rows, labels])).sum())
        residual = exponent / total[:, None]
        residual[rows, labels] -= 1
        residual *= weight[:, None]
        gradient = np.empty_like(matrix)
        gradient[:-1] = strength * (vectors.T @ residual) + matrix[:-1]
        gradient[-1] = strength * residual.sum(axis=0)
        return strength * loss + 0.5 * float((matrix[:-1] ** 2).sum()), gradient.ravel()

    flat = np.zeros((size + 1, classes), np.float32)
    if start is not None:
        flat[:-1], flat[-1] = start.weights, start.bias
    solution = minimise(objective, flat.ravel(), iterations).reshape(size + 1, classes)
    return LinearModel(np.ascontiguousarray(solution[:-1]), solution[-1].copy())


def minimise(objective: Objective, start: Floats, iterations: int, tolerance: float = 1e-4) -> Floats:
    """L-BFGS with backtracking. Stops when the gradient has shrunk by `tolerance` or after `iterations` steps."""
    point = start
    value, gradient = objective(point)
    first = float(np.abs(gradient).max())
    history: deque[tuple[Floats, Floats, float]] = deque(maxlen=MEMORY)
    for _ in range(iterations):
        if float(np.abs(gradient).max()) <= tolerance * max(first, 1.0):
            break
        direction = -_inverse_hessian(history, gradient)
        slope = float(gradient @ direction)
        if slope >= 0:
            history.clear()
            direction, slope = -gradient, -float(gradient @ gradient)
        step = 1.0 if history else min(1.0, 1.0 / float(np.abs(gradient).sum()))
        for _ in range(BACKTRACKS):
            candidate = (point + np.float32(step) * direction).astype(np.float32)
            new_value, new_gradient = objective(candidate)
            if new_value <= value + 1e-4 * step * slope:
                break
            step /= 2
        else:
            break
        moved, turned = candidate - point, new_gradient - gradient
        curvature = float(moved @ turned)
        if curvature > 1e-10:
            history.append((moved, turned, curvature))
        point, value, gradient = candidate, new_value, new_gradient
    return point


def _inverse_hessian(history: deque[tuple[Floats, Floats, float]], gradient: Floats) -> Floats:
    """The two-loop recursion: `gradient` times the current approximation of the inverse Hessian."""
    result = gradient.copy()
    factors: list[float] = []
    for moved, turned, curvature in reversed(history):
        factor = float(moved @ result) / curvature
        factors.append(factor)
        result -= np.float32(factor) * turned
    if history:
        moved, turned, curvature = history[-1]
        result *= np.float32(curvature / float(turned @ turned))
    for (moved, turned, curvature), factor in zip(history, reversed(factors), strict=True):
        result += np.float32(factor - float(turned @ result) / curvature) * moved
    return result
