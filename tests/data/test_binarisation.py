"""Binarisation: which rule changes which rows, and with what law."""

from __future__ import annotations

import pytest
import torch

from reparam.data import BINARISATIONS, DataSet, binarise, load, prepare
from reparam.errors import ReparamError

GREY = DataSet(
    name="grey",
    train=torch.linspace(0, 1, 11).repeat(20_000, 1),
    valid=torch.linspace(0, 1, 11).repeat(50, 1),
    test=torch.linspace(0, 1, 11).repeat(50, 1),
    shape=(1, 11),
)


def is_bits(rows):
    return bool(((rows == 0) | (rows == 1)).all())


def test_binarise_compares_and_keeps_the_type():
    x = torch.tensor([0.0, 0.3, 0.3, 1.0], dtype=torch.float64)
    uniform = torch.tensor([0.001, 0.29, 0.31, 0.999], dtype=torch.float64)
    assert torch.equal(binarise(x, uniform), torch.tensor([0, 1, 0, 1], dtype=torch.float64))


def test_none_changes_nothing_and_threshold_is_strict():
    assert prepare(GREY, "none") is GREY
    assert torch.equal(prepare(GREY, "threshold").test[0], torch.tensor([0.0] * 6 + [1.0] * 5))


def test_static_bits_have_the_grey_level_as_their_mean():
    """z-test per level at |z| < 4.5 with a fixed seed: false alarm 9 × 7e-6 on another stream."""
    bits = prepare(GREY, "static").train
    assert is_bits(bits)
    level = GREY.train[0]
    error = bits.double().mean(0) - level
    assert error[0] == 0 and error[-1] == 0
    inner = slice(1, -1)
    assert (error[inner].abs() < 4.5 * (level * (1 - level) / len(bits)).sqrt()[inner]).all()


def test_static_is_the_same_every_time_and_differs_by_split_and_name():
    first, second = prepare(GREY, "static"), prepare(GREY, "static")
    for split, rows in first.splits().items():
        assert torch.equal(rows, second.splits()[split])
    assert not torch.equal(first.valid, first.test)
    other = DataSet(name="other", train=GREY.train, valid=None, test=GREY.test, shape=GREY.shape)
    assert not torch.equal(prepare(other, "static").test, first.test)
    assert prepare(other, "static").valid is None


def test_dynamic_leaves_training_rows_grey_and_fixes_the_others():
    dynamic, static = prepare(GREY, "dynamic"), prepare(GREY, "static")
    assert dynamic.train is GREY.train
    assert torch.equal(dynamic.valid, static.valid) and torch.equal(dynamic.test, static.test)


@pytest.mark.parametrize("rule", BINARISATIONS)
def test_bits_stay_what_they_are(rule):
    bits = prepare(GREY, "threshold")
    for split, rows in prepare(bits, rule).splits().items():
        assert torch.equal(rows, bits.splits()[split])


def test_an_unknown_rule_meets_the_nearest():
    with pytest.raises(ReparamError, match="unknown binarisation 'statik'; did you mean 'static'"):
        load("digits", "statik")


def test_labels_and_shape_survive():
    digits, bits = load("digits"), load("digits", "static")
    assert torch.equal(digits.test_labels, bits.test_labels) and bits.shape == (8, 8)
