"""Integrated gradients against closed forms and captum, and what is said where the bound ends them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from attnxai.errors import ApproximationWarning, OptionError
from attnxai.explanations.gradients import IntegratedGradients
from attnxai.explanations.score_function import ScoreFunction
from attnxai.models.specification import Normalisation
from tests.explanations import conftest
from tests.explanations.attributed import (
    CLASSES,
    Linear,
    Residual,
    bare,
    explained_by,
    image_of,
    inputs_and_blank,
    maps_of,
    model_of,
    sources,
)


def integrated_by(model, images, **options):
    """Maps of the first class, what provenance states, and the differences of scores from blank sky."""
    stack = explained_by(bare(IntegratedGradients(**options)), model, images, CLASSES[0])
    (facts,) = stack.provenance["explanations"]
    seen, blank = inputs_and_blank(model, images)
    with torch.no_grad():
        change = (model.network(seen) - model.network(blank))[:, 0].double().numpy()
    return maps_of(stack).astype(np.float64), facts, change


class Kinked(Linear):
    """Scores relu(w . x - c), with the kink at a share of a half of the way for one image and of 0.3 for another."""

    bias_at = (0.0, 0.0)

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        linear = super().forward(images)[:, :1] - self.bias_at[0]
        return torch.cat([torch.relu(linear), linear], dim=1)


@pytest.mark.parametrize("share", [0.3, 0.8191])
def test_a_kink_on_the_way(share):
    """Beyond the kink at a share t the gradient is w, before it 0: the map is w (x - x0) (1 - t)."""
    network, images = Kinked(), sources(1)
    model = model_of(network)
    seen, blank = inputs_and_blank(model, images)
    weight = network.weight.detach()[0]
    if float(((seen - blank)[0, 0] * weight).sum()) < 0:
        network.weight.data, weight = -network.weight.data, -weight
    start = Linear.forward(network, blank)[0, 0].item()
    end = Linear.forward(network, seen)[0, 0].item()
    network.bias_at = (start + share * (end - start), 0.0)
    maps, facts, change = integrated_by(model, images, tolerance=1e-4)
    expected = ((seen - blank)[0, 0] * weight * (1 - share)).numpy()
    np.testing.assert_allclose(maps[0], expected, atol=3e-4 * np.abs(expected).max())
    assert maps.sum() == pytest.approx(change[0], rel=2e-4)
    assert facts["measured"]["n_gradients"][0] < 512


def test_against_captum_with_many_steps():
    from captum.attr import IntegratedGradients as OfCaptum

    model, images = model_of(Residual()), sources(2)
    maps, facts, change = integrated_by(model, images)
    seen, blank = inputs_and_blank(model, images)
    exact = OfCaptum(model.network).attribute(
        seen, blank, target=0, n_steps=1500, method="riemann_middle", internal_batch_size=500
    )
    exact = exact.detach().double().numpy()[:, 0]
    assert (np.abs(maps.sum(axis=(1, 2)) - change) <= 1.1e-3 * np.abs(change)).all()
    size = np.abs(exact).sum(axis=(1, 2))
    assert (np.abs(maps - exact).sum(axis=(1, 2)) <= 0.01 * size).all()
    assert max(facts["measured"]["n_gradients"]) <= 512


def test_it_takes_the_gradients_that_it_needs_in_full_batches():
    model, images = model_of(Residual()), sources(3)
    n_gradients = []
    for tolerance in (0.1, 0.001):
        batches = []
        handle = model.network.register_forward_pre_hook(
            lambda _m, given, into=batches: into.append(len(given[0]))
        )
        maps, facts, change = integrated_by(model, images, tolerance=tolerance, batch_size=8)
        handle.remove()
        errors = np.abs(maps.sum(axis=(1, 2)) / change - 1)
        assert errors.max() <= tolerance * 1.01
        np.testing.assert_allclose(facts["measured"]["relative_errors"], errors, atol=2e-5)
        n_gradients.append(sum(facts["measured"]["n_gradients"]))
        # beside full batches: blank sky and the second pass (15 sections) of each image, its score, and two passes here
        assert sum(n != 8 for n in batches) <= 3 * 2 + 1 + 2
    assert n_gradients[0] < n_gradients[1]


def test_what_is_missed_within_the_bound_is_said():
    model, images = model_of(Residual()), sources(3)
    with pytest.warns(ApproximationWarning, match="3 of 3 images miss the difference of scores"):
        maps, facts, change = integrated_by(model, images, tolerance=1e-5, max_gradients=20)
    assert facts["measured"]["n_gradients"] == [20, 20, 20]
    missed = np.abs(maps.sum(axis=(1, 2)) / change - 1)
    np.testing.assert_allclose(facts["measured"]["relative_errors"], missed, atol=2e-5)
    with pytest.raises(OptionError, match="max_gradients to be 2 or more"):
        IntegratedGradients(max_gradients=1)


class Jumping(Linear):
    """A score that jumps by 1 where the brightest pixel passes half of its brightness."""

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return super().forward(images) + (images.amax(dim=(1, 2, 3)) > 0.8).to(images)[:, None]


def test_a_jump_is_missed_and_said():
    model, images = model_of(Jumping()), sources(1)
    with pytest.warns(ApproximationWarning, match="1 of 1 image miss .* the scores jump"):
        maps, facts, change = integrated_by(model, images)
    assert maps.sum() == pytest.approx(change[0] - 1.0, abs=0.01)
    scale = max(abs(change[0]), 0.01 * (abs(change[0] - 1.0) + 1.0))
    assert facts["measured"]["relative_errors"][0] == pytest.approx(1.0 / scale, rel=0.02)


def test_networks_that_attend_to_emission_attend_to_that_of_the_image():
    """So the score does not jump where emission appears, also at the rim, and the map adds up to all of it."""
    model = conftest.build_model(normalisation=Normalisation.EMISSION, disc=False)
    pixels = np.zeros((conftest.SIDE, conftest.SIDE))
    pixels[0, 3:8], pixels[12:14, 12:16] = 120.0, 255.0
    images = [image_of(pixels), *sources(1, conftest.SIDE)]
    maps, facts, change = integrated_by(model, images)
    assert max(facts["measured"]["relative_errors"]) <= 1e-3
    np.testing.assert_allclose(
        maps.sum(axis=(1, 2)), change, rtol=2e-3, atol=1e-3 * np.abs(maps).sum()
    )
    # blank sky has the score 0 whatever it attends to, and nothing is left out
    function = ScoreFunction(model)
    seen, blank = inputs_and_blank(model, images)
    weights = torch.tensor([[1.0, 0.0]])
    with torch.no_grad():
        for one in seen - blank:
            assert abs(float(function(torch.zeros_like(blank), weights, one))) < 1e-6
