"""The gate before training refuses a biased estimator and passes a right one."""

from dataclasses import dataclass

import pytest

from reparam import estimators
from reparam.errors import ReparamError
from reparam.estimators.base import Estimator
from reparam.measure import oracle_checks


def test_a_right_estimator_passes_with_its_numbers() -> None:
    (found, *_) = oracle_checks.run(["exact"], draws=100)
    assert found["estimator"] == "exact" and found["draws"] == 1
    assert 0 <= found["deviation"] <= 1


@pytest.mark.parametrize("name", ["pathwise", "score_function"])
def test_a_biased_estimator_stops_the_run(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """An estimate that is a tenth too large is off on some problem at 2,000 draws."""
    original = estimators.make

    @dataclass(frozen=True)
    class Biased(Estimator):
        right: Estimator

        @property
        def card(self):
            return self.right.card

        def noise(self, sites):
            return self.right.noise(sites)

        def init(self, sites, generator):
            return self.right.init(sites, generator)

        def estimate(self, *arguments):
            terms = self.right.estimate(*arguments)
            return terms._replace(coefficients=tuple(1.1 * c for c in terms.coefficients))

    monkeypatch.setattr(estimators, "make", lambda *given: Biased(original(*given)))
    with pytest.raises(ReparamError, match=f"{name} .* is off its exact gradient"):
        oracle_checks.run([name], draws=2_000)


def test_a_name_without_checks_does_not_pass_for_want_of_them() -> None:
    with pytest.raises(ReparamError, match="did you mean 'pathwise'"):
        oracle_checks.run(["pathwize"])
