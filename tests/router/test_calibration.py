from __future__ import annotations

import numpy as np
import pytest

from lmos.router.calibration import KEEP, Calibration
from lmos.router.model import Evidence


def evidence(seed: int, count: int, separation: float, classes: int = 6) -> tuple[Evidence, np.ndarray]:
    """Evidence of `count` texts whose true class stands out by `separation` deviations; the last class is the
    background, to which a third of them belong."""
    rng = np.random.default_rng(seed)
    labels = np.where(rng.random(count) < 1 / 3, classes, rng.integers(0, classes, count))
    truth = separation * np.eye(classes + 1)[labels]

    def noisy(scale: float) -> np.ndarray:
        return (scale * (truth + rng.normal(size=(count, classes + 1)))).astype(np.float32)

    return Evidence(noisy(2.0), noisy(5.0), noisy(0.1) + np.float32(0.4)), labels


def own(texts: Evidence, labels: np.ndarray) -> tuple[Evidence, np.ndarray]:
    """Those that are not of the background."""
    mine = labels < texts.classes
    return texts.take(mine), labels[mine]


def test_without_examples_the_prior_holds() -> None:
    texts, _ = evidence(0, 50, 2.0)
    assert Calibration.fit(texts, np.full(50, texts.classes)).examples == 0


@pytest.mark.parametrize("separation", [1.0, 2.0, 3.0])
def test_probabilities_are_as_often_right_as_they_say(separation: float) -> None:
    calibration = Calibration.fit(*evidence(0, 900, separation))
    fresh, truth = own(*evidence(1, 6000, separation))
    probabilities = calibration.probabilities(fresh)
    right = probabilities.argmax(axis=1) == truth
    assert probabilities.max(axis=1).mean() == pytest.approx(right.mean(), abs=0.03)


def test_about_the_wanted_share_of_own_texts_is_kept() -> None:
    calibration = Calibration.fit(*evidence(2, 3000, 2.5))
    fresh, _ = own(*evidence(3, 6000, 2.5))
    kept = calibration.in_scope(fresh) >= calibration.threshold
    assert kept.mean() == pytest.approx(KEEP, abs=0.02)


def test_background_texts_are_mostly_declined() -> None:
    calibration = Calibration.fit(*evidence(2, 60, 2.5))
    fresh, labels = evidence(3, 6000, 2.5)
    foreign = fresh.take(labels == fresh.classes)
    assert (calibration.in_scope(foreign) < calibration.threshold).mean() > 0.95


def test_few_separable_examples_do_not_make_certain() -> None:
    learnt, labels = evidence(4, 8, 20.0)
    calibration = Calibration.fit(learnt, labels)
    near, _ = evidence(5, 200, 0.3)
    assert calibration.probabilities(near).max(axis=1).mean() < 0.95


def test_the_limits_are_in_order() -> None:
    calibration = Calibration.fit(*evidence(6, 300, 2.0))
    assert calibration.foreign <= calibration.threshold <= calibration.typical
