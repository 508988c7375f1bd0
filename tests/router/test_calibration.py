from __future__ import annotations

import numpy as np
import pytest

from lmos.router.calibration import KEEP, Calibration
from lmos.router.model import Evidence


def evidence(seed: int, count: int, separation: float, classes: int = 6) -> tuple[Evidence, np.ndarray]:
    """Evidence of `count` texts whose true capability stands out by `separation` deviations."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, classes, count)
    truth = separation * np.eye(classes)[labels]

    def noisy(scale: float) -> np.ndarray:
        return (scale * (truth + rng.normal(size=(count, classes)))).astype(np.float32)

    return Evidence(noisy(2.0), noisy(5.0), noisy(0.1) + np.float32(0.4)), labels


def test_without_examples_the_prior_holds() -> None:
    empty = np.zeros((0, 3), np.float32)
    assert Calibration.fit(Evidence(empty, empty, empty), np.zeros(0, np.int64)).examples == 0


@pytest.mark.parametrize("separation", [1.0, 2.0, 3.0])
def test_probabilities_are_as_often_right_as_they_say(separation: float) -> None:
    learnt, labels = evidence(0, 600, separation)
    calibration = Calibration.fit(learnt, labels)
    fresh, truth = evidence(1, 4000, separation)
    probabilities = calibration.probabilities(fresh)
    right = probabilities.argmax(axis=1) == truth
    assert probabilities.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.03)


def test_about_the_wanted_share_of_own_texts_is_kept() -> None:
    learnt, labels = evidence(2, 600, 2.5)
    calibration = Calibration.fit(learnt, labels)
    fresh, _ = evidence(3, 4000, 2.5)
    kept = calibration.in_scope(fresh, calibration.probabilities(fresh)) >= calibration.threshold
    assert kept.mean() == pytest.approx(KEEP, abs=0.02)


def test_few_separable_examples_do_not_make_certain() -> None:
    learnt, labels = evidence(4, 8, 20.0)
    calibration = Calibration.fit(learnt, labels)
    near, _ = evidence(5, 200, 0.3)
    assert calibration.probabilities(near).max(axis=1).mean() < 0.95


def test_the_limits_are_in_order() -> None:
    calibration = Calibration.fit(*evidence(6, 300, 2.0))
    assert calibration.foreign <= calibration.threshold <= calibration.typical
