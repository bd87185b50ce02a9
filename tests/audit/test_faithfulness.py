"""Deletion, insertion and ROAD on networks whose curves are known."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest
from scipy import special

from attnxai.audit.faithfulness import faithfulness_tests, log_fractions
from attnxai.audit.faithfulness_result import BRIGHTNESS, RANDOM, SCORE, shifted_name
from attnxai.audit.imputation import impute_linearly
from attnxai.data.grid import GridTransform
from attnxai.errors import AlignmentError, OptionError
from tests.audit.models import WeightedSum, model_of, sources, stack_of
from tests.models.builders import make_model

SIDE = 16
FRACTIONS = np.array([1 / 256, 10 / 256, 50 / 256, 1.0])
COUNTS = (1, 10, 50, 256)


def weighted(n=3, *, seed=0):
    """A weighted sum, images, and what each pixel contributes."""
    rng = np.random.default_rng(seed)
    weights = rng.normal(size=(SIDE, SIDE)).astype(np.float32)
    images = rng.integers(3, 255, size=(n, SIDE, SIDE)) / 255
    return model_of(WeightedSum(weights), SIDE), images, weights * images


def test_curves_of_a_weighted_sum_are_known_in_closed_form() -> None:
    model, images, parts = weighted()
    maps = stack_of(model, images, {"parts": parts})
    found = faithfulness_tests(
        model, maps, target="FR I", tests=["deletion", "insertion"], fractions=FRACTIONS, n_draws=1
    )
    for position, own in enumerate(parts.reshape(len(parts), -1)):
        taken = np.cumsum(np.sort(own)[::-1])[np.array(COUNTS) - 1]
        np.testing.assert_allclose(found.score[0, 0, position], own.sum() - taken, atol=1e-5)
        np.testing.assert_allclose(found.score[1, 0, position], taken, atol=1e-5)
        probability = special.expit(own.sum() - taken)
        np.testing.assert_allclose(found.probability[0, 0, position], probability, atol=1e-6)
    np.testing.assert_allclose(found.ends[1], [parts.sum(axis=(1, 2)), np.zeros(3)], atol=1e-5)
    # brightness removes the same pixels whatever their weight
    order = np.argsort(-images[0].ravel(), kind="stable")[:10]
    left = parts[0].sum() - parts[0].ravel()[order].sum()
    assert found.score[0, 1, 0, 1] == pytest.approx(left, abs=0.15)


def test_no_order_is_better_than_that_of_the_contributions() -> None:
    model, images, parts = weighted()
    maps = stack_of(model, images, {"parts": parts, "reverse": -parts})
    found = faithfulness_tests(
        model, maps, target="FR I", tests=["deletion", "insertion"], n_draws=2
    )
    for other in found.orders[1:]:
        assert (found.gains("parts", other, SCORE) > 0).all()
        assert (found.gains("reverse", other, SCORE) <= 0).all()


def test_areas_are_means_over_the_logarithm_of_the_fraction() -> None:
    model, images, parts = weighted(1)
    found = faithfulness_tests(model, stack_of(model, images, {"parts": parts}), n_draws=1)
    place = np.log10(found.fractions)
    curve = found.probability[0, 0, 0]
    assert found.areas()[0, 0, 0] == pytest.approx(
        np.sum((curve[1:] + curve[:-1]) / 2) * (place[1] - place[0]) / 3
    )
    np.testing.assert_allclose(place, np.linspace(-3, 0, 13))


def test_road_follows_imputed_images() -> None:
    """A brightness of which a plane is imputed exactly, and no noise as all of it lies above a clip of 0."""
    model, _, parts = weighted(1)
    model = dataclasses.replace(
        model, preprocessing=dataclasses.replace(model.preprocessing, clip_sigma=0.0)
    )
    flat = np.full((1, SIDE, SIDE), 0.5)
    assert np.ptp(impute_linearly(flat[0], parts[0] > 0)) == pytest.approx(0.0, abs=1e-12)
    maps = stack_of(model, flat, {"parts": parts})
    found = faithfulness_tests(
        model, maps, target="FR I", tests=["road"], fractions=FRACTIONS, n_draws=1
    )
    whole = found.ends[1, 0, 0]
    np.testing.assert_allclose(found.score[0, :, 0, :3], whole, rtol=1e-4)
    assert found.score[0, 0, 0, 3] == pytest.approx(0.0, abs=1e-6)


def test_road_leaves_empty_sky_empty() -> None:
    """Noise and imputation put no emission where the clip of the preprocessing would remove it."""
    images = sources(1, SIDE, share=0.03)
    counting = model_of(WeightedSum(np.ones((SIDE, SIDE))), SIDE)
    corner = np.zeros((1, SIDE, SIDE))
    corner[0, :4, :4] = 1.0
    maps = stack_of(counting, images, {"corner": corner})
    found = faithfulness_tests(counting, maps, tests=["road"], fractions=FRACTIONS, n_draws=1)
    assert found.score[0, 0, 0, 1] == pytest.approx(found.ends[1, 0, 0])


def test_signed_maps_rank_by_value_and_pixels_of_equal_value_are_drawn() -> None:
    model, images, parts = weighted()
    constant = stack_of(model, images, {"constant": np.zeros_like(parts)})
    first = faithfulness_tests(model, constant, tests=["deletion"], n_draws=1, rng=1)
    second = faithfulness_tests(model, constant, tests=["deletion"], n_draws=1, rng=2)
    assert not np.allclose(first.score[0, 0], second.score[0, 0])
    again = faithfulness_tests(model, constant, tests=["deletion"], n_draws=1, rng=1)
    np.testing.assert_array_equal(first.score, again.score)


def test_pixels_that_the_network_does_not_see_are_never_replaced() -> None:
    model, images, parts = weighted(2)
    valid = np.ones(images.shape, bool)
    valid[:, :, :5] = False
    found = faithfulness_tests(
        model,
        stack_of(model, images, {"parts": parts}, valid=valid),
        target="FR I",
        tests=["deletion", "insertion"],
        n_draws=1,
    )
    outside = parts[:, :, :5].sum(axis=(1, 2))
    np.testing.assert_allclose(
        found.score[0, :, :, -1], np.broadcast_to(outside, (4, 2)), atol=1e-5
    )
    np.testing.assert_allclose(found.score[1, 0, :, -1], parts.sum(axis=(1, 2)), atol=1e-5)


def test_coarse_maps_are_interpolated_and_batches_change_nothing() -> None:
    model = make_model(side=SIDE)
    images = sources(2, SIDE)
    coarse = {"coarse": np.random.default_rng(0).random((2, 4, 4))}
    geometry = {"coarse": GridTransform(step=4.0, origin_x=1.5, origin_y=1.5)}
    before = {k: v.clone() for k, v in model.network.state_dict().items()}
    runs = [
        faithfulness_tests(
            model,
            stack_of(model, images, coarse, geometry=geometry),
            n_draws=1,
            batch_size=size,
            fractions=log_fractions(0.01, per_decade=2),
        )
        for size in (3, 50)
    ]
    np.testing.assert_allclose(runs[0].probability, runs[1].probability, atol=1e-6)
    assert all(bool((before[k] == v).all()) for k, v in model.network.state_dict().items())
    assert runs[0].target == "predicted class"


@pytest.fixture(scope="module")
def of_centre():
    """Sources in the middle, a network that sums their brightness, and maps right and wrong."""
    n, side = 40, SIDE
    images = sources(n, side, share=0.1)
    model = model_of(WeightedSum(np.ones((side, side)), bias=-2.0), side)
    rng = np.random.default_rng(5)
    layers = {
        "right": images * 1.0,
        "noise": rng.random(images.shape),
        "sky": 1.0 * (images == 0),
        "anywhere on emission": (0.1 + rng.random(images.shape)) * (images > 0),
    }
    return faithfulness_tests(
        model,
        stack_of(model, images, layers),
        target="FR I",
        n_bootstrap=500,
        n_draws=2,
        fractions=log_fractions(1 / 256, per_decade=2),
    )


def test_the_rule_separates_maps_of_the_source_from_others(of_centre) -> None:
    assert of_centre.faithful("right") is True
    assert of_centre.exceeds("right", BRIGHTNESS) is False
    assert of_centre.faithful("noise") is False
    assert of_centre.faithful("sky") is False
    assert of_centre.faithful("anywhere on emission") is False
    text = of_centre.summary()
    assert text.startswith(
        "Yes for right; not shown for noise, sky and anywhere on emission. Better than the order of brightness: none."
    )
    assert "Deletion, insertion and ROAD on 40 sources, probability of the class FR I" in text
    assert "The map right is faithful" in text
    assert "The map noise is not shown to be faithful" in text
    assert "not better than brightness" in text


def test_tables_and_records_hold_the_same_numbers(of_centre) -> None:
    frame = of_centre.to_frame()
    assert len(frame) == 12
    row = frame[(frame["map"] == "right") & (frame["test"] == "road")].iloc[0]
    interval = of_centre.gain("right", RANDOM, "road")
    assert row["probability_gain_over_random"] == interval.value
    assert row["probability_gain_over_random_ci_low"] == interval.low > 0
    record = json.loads(json.dumps(of_centre.to_record()))
    stated = record["maps"]["right"]["tests"]["road"]["probability"]["gain_over_random"]
    assert stated == interval.to_record()
    gains = of_centre.gains("right", shifted_name("right"))
    assert gains.shape == (3, 40)
    assert of_centre.area("right", "deletion").value == pytest.approx(
        of_centre.areas()[0, 0].mean()
    )


def test_few_sources_have_no_verdict() -> None:
    model, images, parts = weighted(3)
    found = faithfulness_tests(model, stack_of(model, images, {"parts": parts}), n_draws=1)
    assert found.faithful("parts") is None
    assert "there are no intervals" in found.summary()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"fractions": np.array([0.5, 0.1])}, "fractions have to increase"),
        ({"fractions": np.array([0.0, 0.1])}, "fractions have to increase"),
        ({"n_draws": 0}, "n_draws of 1 or more"),
        ({"tests": []}, "needs a test"),
        ({"target": "FR 0"}, "'FR 0' is not a class"),
    ],
)
def test_options_out_of_range_are_refused(changes, text) -> None:
    model, images, parts = weighted(1)
    with pytest.raises(OptionError, match=text):
        faithfulness_tests(model, stack_of(model, images, {"parts": parts}), **changes)


def test_maps_of_another_model_are_refused() -> None:
    model, images, parts = weighted(2)
    with pytest.raises(AlignmentError, match="are not those of the model by hand"):
        faithfulness_tests(model, stack_of(model, images, {"parts": parts}, scores=np.ones((2, 2))))
    other = model_of(WeightedSum(np.ones((20, 20))), 20)
    with pytest.raises(AlignmentError, match="16 x 16 pixels and the model by hand sees 20 x 20"):
        faithfulness_tests(other, stack_of(model, images, {"parts": parts}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("smooth", "on_emission"), [(0.0, False), (3.0, False), (0.0, True), (3.0, True)]
)
def test_random_maps_are_rarely_called_faithful(smooth, on_emission) -> None:
    """At most 5 % of random maps, white or smooth, on emission alone or not, within what 200 of them let one say."""
    from scipy.ndimage import gaussian_filter

    rng = np.random.default_rng(8)
    images = sources(10, SIDE, share=0.15, seed=2)
    y, x = np.mgrid[:SIDE, :SIDE]
    model = model_of(WeightedSum(np.exp(-((x - 7.5) ** 2 + (y - 7.5) ** 2) / 20), bias=-3.0), SIDE)
    n_maps = 40
    n_faithful = 0
    for _ in range(5):
        white = rng.standard_normal((n_maps, *images.shape))
        layers = {
            f"map {i}": gaussian_filter(one, (0, smooth, smooth), mode="wrap")
            for i, one in enumerate(white)
        }
        if on_emission:
            layers = {key: np.exp(one) * (images > 0) for key, one in layers.items()}
        found = faithfulness_tests(
            model,
            stack_of(model, images, layers),
            target="FR I",
            n_draws=2,
            n_bootstrap=500,
            rng=rng,
            fractions=log_fractions(1 / 256, per_decade=2),
            tests=["deletion", "insertion"],
        )
        n_faithful += sum(bool(found.faithful(layer)) for layer in layers)
    assert n_faithful <= 17  # 0.975 quantile of a binomial of 200 and 5 %
