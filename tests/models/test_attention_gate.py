"""Attention gates and their normalisations, by hand."""

from __future__ import annotations

import math

import pytest
import torch

from attnxai.models.attention_gate import (
    NORMALISATIONS,
    AttentionGate,
    GateNormalisation,
    range_norm,
    sigmoid,
    softmax,
    std_mean_norm,
    tanh,
)
from attnxai.models.specification import Normalisation

SCORES = torch.tensor([[[[1.0, 3.0], [2.0, 5.0]]], [[[-4.0, 0.0], [10.0, 6.0]]]])


def test_every_normalisation_has_its_function() -> None:
    functions = {name: function.__name__ for name, function in NORMALISATIONS.items()}
    expected = {name: name.value for name in Normalisation if name is not Normalisation.EMISSION}
    assert functions == expected, "NORMALISATIONS in attnxai/models/attention_gate.py"


def test_range_norm_by_hand() -> None:
    expected = torch.tensor([[[[0.0, 0.5], [0.25, 1.0]]], [[[0.0, 2 / 7], [1.0, 5 / 7]]]])
    torch.testing.assert_close(range_norm(SCORES), expected)


def test_range_norm_over_the_batch_is_the_published_form() -> None:
    torch.testing.assert_close(range_norm(SCORES, True), (SCORES + 4) / 14)


def test_std_mean_norm_by_hand() -> None:
    # (q - min) / max(q): [0, 2, 1, 4] / 5 and [0, 4, 14, 10] / 10
    shares = torch.tensor([[[[0.0, 0.4], [0.2, 0.8]]], [[[0.0, 0.4], [1.4, 1.0]]]])
    torch.testing.assert_close(std_mean_norm(SCORES), (shares - 0.5) / 0.25)
    over_batch = ((SCORES + 4) / 10 - 0.5) / 0.25
    torch.testing.assert_close(std_mean_norm(SCORES, True), over_batch)


def test_softmax_sums_to_one_over_pixels_of_each_image() -> None:
    maps = softmax(SCORES)
    torch.testing.assert_close(maps.sum(dim=(1, 2, 3)), torch.ones(2))
    torch.testing.assert_close(maps[0, 0, 1, 1] / maps[0, 0, 0, 0], torch.tensor(4.0).exp())


def test_sigmoid_and_tanh_by_hand() -> None:
    torch.testing.assert_close(sigmoid(SCORES), 1 / (1 + torch.exp(-SCORES)))
    torch.testing.assert_close(tanh(SCORES), 2 / (1 + torch.exp(-2 * SCORES)) - 1)


def test_equal_scores_give_a_map_of_zeros_in_range_norm() -> None:
    torch.testing.assert_close(range_norm(torch.full((2, 1, 3, 3), 7.0)), torch.zeros(2, 1, 3, 3))


def test_emission_shares_attention_out_over_emission_alone() -> None:
    where = torch.tensor([[[[1.0, 0.0], [1.0, 0.0]]], [[[0.0, 0.0], [0.0, 1.0]]]])
    first, second = math.log1p(math.exp(1.0)), math.log1p(math.exp(2.0))
    expected = torch.zeros(2, 1, 2, 2)
    expected[0, 0, :, 0] = torch.tensor([first, second]) / (first + second)
    expected[1, 0, 1, 1] = 1.0
    torch.testing.assert_close(GateNormalisation(Normalisation.EMISSION)(SCORES, where), expected)
    nowhere = torch.zeros_like(where)
    assert not GateNormalisation(Normalisation.EMISSION)(SCORES, nowhere).any()
    # scores whose softplus is 0 in 32 bits
    low = GateNormalisation(Normalisation.EMISSION)(SCORES - 300.0, where)
    torch.testing.assert_close(low.sum(dim=(2, 3)), torch.ones(2, 1))
    assert low[0, 0, 1, 0] / low[0, 0, 0, 0] == pytest.approx(math.e)


@pytest.mark.parametrize("normalisation", list(Normalisation))
def test_a_map_does_not_depend_on_the_other_images(normalisation) -> None:
    normalise = GateNormalisation(normalisation)
    together = normalise(SCORES)
    for index in range(2):
        torch.testing.assert_close(together[index], normalise(SCORES[index : index + 1])[0])


@pytest.mark.parametrize("normalisation", [Normalisation.RANGE_NORM, Normalisation.STD_MEAN_NORM])
def test_over_the_batch_a_map_does_depend_on_the_other_images(normalisation) -> None:
    normalise = GateNormalisation(normalisation, over_batch=True)
    assert (normalise(SCORES)[0] - normalise(SCORES[:1])[0]).abs().max() > 0.1


def test_gate_follows_its_formula() -> None:
    torch.manual_seed(0)
    gate = AttentionGate(3, 5, 4, Normalisation.SIGMOID)
    features, signal = torch.randn(2, 3, 8, 8), torch.randn(2, 5, 2, 2)
    with torch.no_grad():
        coarse = torch.einsum("oc,nchw->nohw", gate.phi.weight[:, :, 0, 0], signal)
        coarse = torch.nn.functional.interpolate(coarse, scale_factor=4, mode="bilinear")
        fine = torch.einsum("oc,nchw->nohw", gate.theta.weight[:, :, 0, 0], features)
        scores = torch.einsum(
            "oc,nchw->nohw", gate.psi.weight[:, :, 0, 0], (fine + coarse).clamp_min(0)
        )
        assert gate.psi.bias is not None
        attention = torch.sigmoid(scores + gate.psi.bias)
        torch.testing.assert_close(gate(features, signal), attention * features)
    assert gate.theta.bias is None
    assert gate.phi.bias is None
