"""Without faults nothing goes wrong, whatever the operators live through. `make faults` adds faults, by thousands."""

from __future__ import annotations

import pytest

from tests.operator.faults.schedule import Schedule, run


@pytest.mark.parametrize("seed", range(12))
def test_without_faults_all_is_well(seed: int) -> None:
    assert run(Schedule(seed, faults=False)).wrongs == []
