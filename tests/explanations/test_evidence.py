"""Evidence: adds up to the class scores exactly, for every gated network and aggregation."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from attnxai.data.images import from_array
from attnxai.errors import CheckpointError, OptionError
from attnxai.explanations import explain
from attnxai.explanations.evidence import blank_features, evidence_batches
from attnxai.models.model import AttentionModel
from attnxai.models.network import AttentionNetwork
from attnxai.models.specification import Aggregation, FeatureSum, LayerOrder, Normalisation, Padding
from tests.explanations.conftest import SIDE, build_model
from tests.models.builders import random_images

AGGREGATIONS = tuple(Aggregation)


def network_of(model: AttentionModel) -> AttentionNetwork:
    assert isinstance(model.network, AttentionNetwork)
    return model.network.eval()


@torch.no_grad()
def totals(model: AttentionModel, batch: torch.Tensor, *, relative: bool) -> tuple[torch.Tensor, ...]:
    """Scores, what the evidence adds up to, and the sum of absolute contributions."""
    network = network_of(model)
    blank = blank_features(network, model.preprocessing) if relative else None
    (found,) = evidence_batches(network, iter([batch]), blank=blank)
    summed = found.bias + sum(maps.sum(dim=(2, 3)) for maps in found.maps.values())
    size = found.bias.abs() + sum(maps.abs().sum(dim=(2, 3)) for maps in found.maps.values())
    return network(batch), summed, size


@pytest.mark.parametrize("relative", [False, True])
@pytest.mark.parametrize("feature_sum", list(FeatureSum))
@pytest.mark.parametrize("aggregation", AGGREGATIONS)
def test_it_adds_up_to_the_scores(aggregation, feature_sum, relative) -> None:
    model = build_model(aggregation=aggregation, feature_sum=feature_sum)
    batch = random_images(6, SIDE)
    scores, summed, size = totals(model, batch, relative=relative)
    assert ((scores - summed).abs() <= 1e-5 * size).all()
    model.network.double()
    scores, summed, _ = totals(model, batch.double(), relative=relative)
    torch.testing.assert_close(summed, scores, rtol=0, atol=1e-10)


@pytest.mark.parametrize("normalisation", list(Normalisation))
@pytest.mark.parametrize("n_gates", [1, 2, 3])
def test_for_every_gate(normalisation, n_gates) -> None:
    model = build_model(normalisation=normalisation, n_gates=n_gates)
    model.network.double()
    scores, summed, _ = totals(model, random_images(3, SIDE).double(), relative=True)
    torch.testing.assert_close(summed, scores, rtol=0, atol=1e-9)


def test_one_pixel_by_hand() -> None:
    """Evidence of a pixel is what the score loses when that pixel of the gated features is set to 0."""
    model = build_model(aggregation=Aggregation.CONCATENATED, feature_sum=FeatureSum.MEAN)
    network = network_of(model)
    network.double()
    batch = random_images(1, SIDE).double()
    with torch.no_grad():
        (found,) = evidence_batches(network, iter([batch]))
        row, column = 2, 5

        def without_pixel(_module, _inputs, output):
            changed = output.clone()
            changed[:, :, row, column] = 0.0
            return changed

        handle = network.gates[1].register_forward_hook(without_pixel)
        lost = found.scores - network(batch)
        handle.remove()
    torch.testing.assert_close(found.maps["gate2"][:, :, row, column], lost, rtol=0, atol=1e-12)
