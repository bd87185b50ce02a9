"""Points alone: their numbers are those of Gaussians and discs about them, whatever is done with areas."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

import attnxai
from attnxai.agreement.comparison import ComparisonSettings
from tests.builders import made_up

SETTINGS = ComparisonSettings(metrics=("nss", "auc"), n_permutations=99, n_bootstrap=100)
FWHM_ARCSEC, SCALE = 5.4, 1.8
POINTS = {
    ("source_00", "ann"): [(9.3, 12.8, 1.0), (11.0, 12.0, 0.5)],
    ("source_00", "bob"): [(10.0, 13.0, 1.0)],
    ("source_01", "ann"): [(20.5, 20.5, 1.0)],
    ("source_02", "ann"): [(1.0, 30.0, 0.25), (16.0, 16.0, 1.0)],
    ("source_02", "bob"): [(15.2, 17.9, 1.0)],
    ("source_03", "bob"): [(24.6, 8.1, 1.0)],
}
# of gate2 of the made-up maps with these points, computed once by the loops of `by_loops`
STORED_NSS = {
    ("source_00", "ann"): -0.118045541,
    ("source_00", "bob"): -0.131665237,
    ("source_01", "ann"): 1.56540434,
    ("source_02", "ann"): -0.12297865,
    ("source_02", "bob"): 0.62951642,
    ("source_03", "bob"): -0.330674996,
}


def by_loops(points, side=32):
    """Density and mask, pixel by pixel."""
    fwhm = FWHM_ARCSEC / SCALE
    sigma = fwhm / np.sqrt(8 * np.log(2))
    density, mask = np.zeros((side, side)), np.zeros((side, side), bool)
    for row in range(side):
        for column in range(side):
            for x, y, weight in points:
                distance = np.hypot(column - x, row - y)
                if distance <= 3 * sigma:
                    value = weight * np.exp(-(distance**2) / (2 * sigma**2))
                    density[row, column] = max(density[row, column], value)
                mask[row, column] |= distance <= fwhm / 2
    return density, mask


def refuse(areas, *_, **__):
    """In the place of what covers areas, which is asked about none."""
    if len(areas):
        raise AssertionError("a point is no area")
    return []


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    maps, _, images = made_up(n_sources=4)
    table = tmp_path_factory.mktemp("points") / "points.csv"
    rows = [
        f"{source},{annotator},point,{x},{y},pixel,{weight}"
        for (source, annotator), points in POINTS.items()
        for x, y, weight in points
    ]
    table.write_text("\n".join(["source,annotator,shape,x,y,frame,weight", *rows, ""]))
    marks = attnxai.read_annotations(table)
    with pytest.MonkeyPatch.context() as patch, warnings.catch_warnings():
        warnings.simplefilter("ignore")
        patch.setattr("attnxai.alignment.rasterise.area_coverages", refuse)
        patch.setattr("attnxai.alignment.rasterise.polygon_coverage", refuse)
        return maps, attnxai.compare(maps, marks, images, settings=SETTINGS)


@pytest.mark.parametrize(("source", "annotator"), POINTS)
def test_numbers_of_points_are_those_of_gaussians_and_discs(compared, source, annotator):
    maps, result = compared
    s, a = result.sources.index(source), result.annotators.index(annotator)
    density, mask = by_loops(POINTS[source, annotator])
    pairs = result.data.pairs
    np.testing.assert_allclose(pairs.density[a, s], density, rtol=1e-6, atol=1e-12)
    np.testing.assert_array_equal(pairs.mask[a, s], mask)
    map_ = maps.layers["gate2"][s].astype(float)
    standardised = (map_ - map_.mean()) / map_.std()
    nss = (standardised * density).sum() / density.sum()
    values = result.values[:, result.explanations.index("gate2"), a, s]
    assert values[0] == pytest.approx(nss, rel=1e-6)
    assert values[1] == pytest.approx(roc_auc_score(mask.ravel(), map_.ravel()), rel=1e-9)
    assert values[0] == pytest.approx(STORED_NSS[source, annotator], rel=1e-6)


def test_who_marked_nothing_has_no_number(compared):
    result = compared[1]
    s, a = result.sources.index("source_01"), result.annotators.index("bob")
    assert np.isnan(result.values[:, :, a, s]).all()
