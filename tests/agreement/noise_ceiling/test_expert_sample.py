"""Reliability of three real experts: the numbers that the documentation gives, by the script in examples/."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

from attnxai.agreement.noise_ceiling.ceiling import noise_ceilings
from attnxai.agreement.noise_ceiling.intraclass import IntraclassForm, intraclass_correlations
from attnxai.agreement.noise_ceiling.marks import mark_properties, region_agreement
from attnxai.agreement.noise_ceiling.reliability import (
    Measurement,
    alpha_interval,
    krippendorff_alpha,
)
from attnxai.annotations.rgz_experts import FIELD_ARCSEC, RADIO_GRID, parse_expert_sample
from attnxai.metrics import METRICS
from tests.annotations.test_rgz_experts import FIELD, OTHER, SAMPLE

SCRIPT = Path(__file__).parents[3] / "examples" / "expert_reliability.py"
ExpertSample = runpy.run_path(str(SCRIPT))["ExpertSample"]


@pytest.fixture(scope="module")
def sample(shared_data):
    text = (shared_data / "rgz" / "expert_sample.csv").read_text()
    return ExpertSample(parse_expert_sample(text))


@pytest.fixture
def small():
    return ExpertSample(parse_expert_sample(SAMPLE))


def test_sources_boxes_and_hosts(small):
    assert (small.experts, small.fields) == (["one", "three", "two"], [FIELD, OTHER])
    first, second = small.sources["one", FIELD]
    assert first == ([(60.0, 64.0, 65.0, 68.0), (70.0, 74.0, 65.0, 68.0)], [(212.5, 222.5)])
    assert second[1] == small.sources["three", OTHER] == []
    np.testing.assert_array_equal(small.present, [[1, 1], [0, 1], [1, 0]])
    assert small.central("one", FIELD) == first
    assert small.central("three", OTHER) is None


def test_numbers(small):
    found = small.numbers()
    nan = np.nan
    np.testing.assert_array_equal(found["sources"], [[2, 1], [nan, 0], [2, nan]])
    np.testing.assert_array_equal(found["components"], [[3, 1], [nan, 0], [2, nan]])
    np.testing.assert_array_equal(found["central components"], [[2, 1], [nan, nan], [1, nan]])
    np.testing.assert_array_equal(found["host seen"], [[1, 0], [nan, nan], [0, nan]])
    # ten of 424 positions below the centre of 3 arcmin
    assert found["host y"][0, 0] == pytest.approx(10 * FIELD_ARCSEC / 424)
    assert found["host x"][0, 0] == pytest.approx(0.0)


def test_masks_are_the_boxes_of_the_central_source(small):
    masks = small.masks()
    assert masks.shape == (3, 2, 132, 132)
    assert masks[0, 0].sum() == 2 * 5 * 4
    assert masks[0, 0, 64, 59]  # counted from 1: row 65, column 60
    assert not masks[0, 0, 64, 58]
    assert masks[1].sum() == 0


def test_pairs_of_components(small):
    ratings, fields = small.pair_ratings()
    # boxes in order: left, right, far; expert two put left and right together as well
    assert fields == [FIELD] * 3
    np.testing.assert_array_equal(ratings[0], [1, 0, 0])
    assert np.isnan(ratings[1]).all()
    np.testing.assert_array_equal(ratings[2], [1, 0, 0])


@pytest.mark.shared_data
def test_components_that_belong_together(sample):
    together, fields = sample.pair_ratings()
    found = alpha_interval(together, Measurement.NOMINAL, groups=fields)
    assert together.shape == (3, 167)
    assert found.n_units == 57
    assert found.value == pytest.approx(0.241, abs=5e-4)
    assert found.low == pytest.approx(0.040, abs=0.02)
    assert found.high == pytest.approx(0.462, abs=0.02)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "measurement", "alpha"),
    [
        ("host seen", Measurement.NOMINAL, 0.640),
        ("sources", Measurement.RATIO, 0.514),
        ("components", Measurement.RATIO, 0.834),
        ("central components", Measurement.RATIO, 0.685),
        ("host x", Measurement.INTERVAL, 0.929),
        ("host y", Measurement.INTERVAL, 0.866),
    ],
)
def test_alpha_of_numbers(sample, name, measurement, alpha):
    found = krippendorff_alpha(sample.numbers()[name], measurement)
    assert found == pytest.approx(alpha, abs=5e-4)


@pytest.mark.shared_data
@pytest.mark.parametrize(
    ("name", "alpha", "icc"),
    [
        ("area", 0.881, 0.881),
        ("length", 0.754, 0.755),
        ("along_x", 0.867, 0.867),
        ("diagonal", 0.827, 0.828),
    ],
)
def test_shape_of_the_central_source(sample, name, alpha, icc):
    masks = sample.masks()
    marks = mark_properties(
        masks,
        sample.present & masks.any(axis=(2, 3)),
        pixel_scale_arcsec=FIELD_ARCSEC / RADIO_GRID,
    )[name]
    assert krippendorff_alpha(marks) == pytest.approx(alpha, abs=5e-4)
    found = intraclass_correlations(marks)[IntraclassForm.ICC2]
    assert found.interval.value == pytest.approx(icc, abs=5e-4)
    assert (found.interval.n_units, found.n_left_out) == (99, 1)


@pytest.mark.shared_data
def test_overlap_and_ceiling(sample):
    masks, present = sample.masks(), sample.present
    found = region_agreement(masks, present, n_permutations=999)
    assert found.observed.value == pytest.approx(0.937, abs=5e-4)
    # exact: 0.249 over all pairs of sources, of which one in a hundred is a source with itself
    assert found.chance == pytest.approx(0.242, abs=5e-4)
    several = present.copy()
    several[:, ~np.isin(sample.fields, sample.pair_ratings()[1])] = False
    ceiling = noise_ceilings(
        [METRICS["nss"]], masks.astype(float), masks, several, np.ones(masks.shape[1:], bool)
    )["nss"]
    assert ceiling.lower.n_units == 57
    assert ceiling.lower.value == pytest.approx(8.892, abs=5e-4)
    assert ceiling.upper.value == pytest.approx(9.178, abs=5e-4)
