"""Reliability of three real experts: the numbers that the documentation gives."""

from __future__ import annotations

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
from attnxai.annotations.rgz_experts import FIELD_ARCSEC, RADIO_GRID, read_expert_sample
from attnxai.metrics import METRICS

pytestmark = pytest.mark.shared_data


@pytest.fixture(scope="module")
def sample(shared_data):
    return read_expert_sample(shared_data / "rgz" / "expert_sample.csv")


def test_components_that_belong_together(sample):
    together, fields = sample.pair_ratings()
    found = alpha_interval(together, Measurement.NOMINAL, groups=fields)
    assert together.shape == (3, 167)
    assert found.n_units == 57
    assert found.value == pytest.approx(0.241, abs=5e-4)
    assert found.low == pytest.approx(0.040, abs=0.02)
    assert found.high == pytest.approx(0.462, abs=0.02)


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
        sample.present() & masks.any(axis=(2, 3)),
        pixel_scale_arcsec=FIELD_ARCSEC / RADIO_GRID,
    )[name]
    assert krippendorff_alpha(marks) == pytest.approx(alpha, abs=5e-4)
    found = intraclass_correlations(marks)[IntraclassForm.ICC2]
    assert found.interval.value == pytest.approx(icc, abs=5e-4)
    assert (found.interval.n_units, found.n_left_out) == (99, 1)


def test_overlap_and_ceiling(sample):
    masks, present = sample.masks(), sample.present()
    found = region_agreement(masks, present, n_permutations=999)
    assert found.observed.value == pytest.approx(0.937, abs=5e-4)
    assert found.chance == pytest.approx(0.249, abs=0.003)
    several = present.copy()
    several[:, ~np.isin(sample.fields, sample.pair_ratings()[1])] = False
    ceiling = noise_ceilings(
        [METRICS["nss"]], masks.astype(float), masks, several, np.ones(masks.shape[1:], bool)
    )["nss"]
    assert ceiling.lower.n_units == 57
    assert ceiling.lower.value == pytest.approx(8.892, abs=5e-4)
    assert ceiling.upper.value == pytest.approx(9.178, abs=5e-4)
