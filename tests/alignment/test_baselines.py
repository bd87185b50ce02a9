"""Baselines of brightness and of emission."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import average_precision_score, roc_auc_score

import attnxai
from attnxai.alignment.baselines import image_baselines
from attnxai.alignment.pairs import align
from attnxai.data.grid import GridTransform
from attnxai.explanations.stack import BRIGHTNESS, CENTRE_BIAS, EMISSION
from attnxai.metrics import METRICS, PixelRows, TargetKind
from tests.builders import made_up


def test_emission_is_uniform_on_pixels_above_the_clip():
    maps, marks, images = made_up(n_sources=4, clip=0.1)
    pairs = align(maps, marks, images)
    assert list(pairs.baselines) == [
        BRIGHTNESS,
        "brightness at 3.6″",
        EMISSION,
        "emission at 3.6″",
        CENTRE_BIAS,
    ]
    np.testing.assert_array_equal(pairs.baselines[EMISSION], maps.brightness > 0)
    # means over the four pixels of a cell, on the grid of the layer
    cells = (maps.brightness > 0).reshape(4, 16, 2, 16, 2).mean(axis=(2, 4))
    at_cells = (
        pairs.baselines["emission at 3.6″"]
        .reshape(4, 16, 2, 16, 2)[:, 1:-1, :, 1:-1]
        .mean(axis=(2, 4))
    )
    assert np.corrcoef(cells[:, 1:-1, 1:-1].ravel(), at_cells.ravel())[0, 1] > 0.95
    # what maps are controlled for is brightness alone
    assert pairs.brightness_of("mean") == (BRIGHTNESS, "brightness at 3.6″")


def test_pixels_that_tie_stay_tied_on_coarser_layers():
    images = [
        attnxai.data.from_array(image.pixels[:30, :30], source=image.source, pixel_scale_arcsec=1.8)
        for image in made_up(n_sources=3, clip=0.1)[2]
    ]
    maps = attnxai.maps_from_arrays(
        images,
        np.random.default_rng(0).random((3, 10, 10)),
        geometry=GridTransform.covering((10, 10), (30, 30)),
    )
    emission = image_baselines(maps, maps.brightness)[0]["emission at 5.4″"]
    # cells hold ninths, and pixels ninths of these
    assert 10 < len(np.unique(emission)) == len(np.unique(np.rint(emission * 81)))


def test_without_clip_emission_cannot_be_told_from_sky():
    maps, marks, images = made_up(n_sources=3)
    pairs = align(maps, marks, images)
    assert EMISSION not in pairs.baselines


@pytest.mark.parametrize("name", METRICS)
def test_every_metric_takes_a_map_of_two_values(name):
    """Ties share their ranks, and of tied pixels only the share that fits is taken."""
    rng = np.random.default_rng(3)
    emission = np.zeros(400)
    emission[rng.choice(400, 60, replace=False)] = 1.0
    density = np.where(rng.random(400) < 0.2, rng.random(400), 0.0) * (0.2 + emission)
    mask = density > 0.1
    metric = METRICS[name]
    target = mask if metric.target is TargetKind.MASK else density
    others = PixelRows((mask if metric.target is TargetKind.MASK else density)[None, ::-1] * 1.0)
    found = metric.evaluate(PixelRows(emission[None]), PixelRows(target[None] * 1.0), others)[0, 0]
    n, k, on = 400, int(mask.sum()), emission > 0
    hits = int((mask & on).sum())
    top = int(0.05 * n)
    ranked = (
        (hits / on.sum())
        if k <= on.sum()
        else (hits + (k - hits) * (k - on.sum()) / (n - on.sum())) / k
    )
    shares = density / density.sum()
    p = 0.99 * emission / emission.sum() + 0.01 / n
    expected = {
        "nss": (density * stats.zscore(emission)).sum() / density.sum(),
        "correlation": np.corrcoef(emission, density)[0, 1],
        "spearman": stats.spearmanr(emission, density).statistic,
        "kendall": stats.kendalltau(emission, density).statistic,
        "auc": roc_auc_score(mask, emission),
        "average_precision": average_precision_score(mask, emission),
        "relevance_mass_accuracy": hits / on.sum(),
        "relevance_rank_accuracy": ranked,
        "dice": ranked,
        "iou": ranked / (2 - ranked),
        "pointing_game": hits / on.sum(),
        "similarity": np.minimum(shares, emission / emission.sum()).sum(),
        "negative_kl": -(shares[shares > 0] * np.log2(shares[shares > 0] / p[shares > 0])).sum(),
        "top_intersection": (np.argsort(-density)[:top][:, None] == np.flatnonzero(on)).sum()
        / on.sum(),
    }
    if name in expected:
        assert found == pytest.approx(expected[name])
    else:  # those against other sources' marks
        assert METRICS[name].needs_others, f"add the value of {name} by hand to expected"
        assert np.isfinite(found)
