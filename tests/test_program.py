"""Programs, sites, run and replay."""

from __future__ import annotations

import pytest
import torch

from reparam.distributions import Bernoulli, Normal
from reparam.errors import ReparamError
from reparam.program import describe, follow, replay, run

PARAMS = {"loc": torch.zeros(3, 2), "scale": torch.ones(3, 2)}


def program(params, sample):
    z = sample("z", Normal(params["loc"], params["scale"]), context="seen")
    sample("x", Normal(z, torch.ones(3, 2)), observed=torch.ones(3, 2))
    return z.sum(-1)


def test_run_records_sites_and_keeps_the_plate() -> None:
    trace = run(program, PARAMS, follow({"z": {"normal": torch.ones(3, 2)}}))
    assert torch.equal(trace.value, torch.full((3,), 2.0))
    assert list(trace.sites) == ["z", "x"]
    assert list(trace.latent) == ["z"]
    assert trace.sites["z"].context == "seen"
    assert trace.sites["x"].observed


def test_replay_repeats_samples_under_other_parameters() -> None:
    trace = run(program, PARAMS, follow({"z": {"normal": torch.randn(3, 2)}}))
    again = run(program, {**PARAMS, "loc": torch.ones(3, 2)}, replay(trace))
    assert torch.equal(again.sites["z"].z, trace.sites["z"].z)
    assert torch.equal(again.sites["z"].law.loc, torch.ones(3, 2))


def test_replay_of_an_unknown_site_is_refused() -> None:
    trace = run(program, PARAMS, follow({"z": {"normal": torch.zeros(3, 2)}}))

    def other(params, sample):
        return sample("w", Normal(params["loc"], params["scale"])).sum(-1)

    with pytest.raises(ReparamError, match="no sample site 'w'"):
        run(other, PARAMS, replay(trace))


def test_a_site_name_used_twice_is_refused() -> None:
    def twice(params, sample):
        law = Normal(params["loc"], params["scale"])
        return (sample("z", law) + sample("z", law)).sum(-1)

    with pytest.raises(ReparamError, match="used twice"):
        describe(twice, PARAMS)


def test_a_value_summed_over_its_data_is_refused() -> None:
    """The 400-fold variance trap: a sum over the batch inside the program."""

    def summed(params, sample):
        return sample("z", Normal(params["loc"], params["scale"])).sum()

    with pytest.raises(ReparamError, match="one value per datum"):
        describe(summed, PARAMS)


def test_a_scalar_latent_per_datum_must_be_said() -> None:
    def per_datum(dims):
        def program(params, sample):
            return sample("z", Bernoulli(logits=params["loc"][:, 0], event_dims=dims))

        return program

    with pytest.raises(ReparamError, match="event_dims"):
        describe(per_datum(None), PARAMS)
    assert describe(per_datum(0), PARAMS)["z"].law.plate == (3,)


def test_a_shared_site_says_so() -> None:
    def shared(dims):
        def program(params, sample):
            w = sample("w", Normal(torch.zeros(2), torch.ones(2), event_dims=dims))
            return (params["loc"] * w).sum(-1)

        return program

    with pytest.raises(ReparamError, match="event_dims"):
        describe(shared(None), PARAMS)
    assert describe(shared(1), PARAMS)["w"].law.plate == ()
