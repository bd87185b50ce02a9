"""How often nulls reject maps that share nothing with annotations: at their level where they are exact.

And where they are not: a null that breaks what maps and annotations share for other reasons than
agreement, such as both lying at the centre, rejects far too often, and has to be seen to do so.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.metrics import METRICS
from attnxai.agreement.nulls import (
    GridSymmetries,
    MoranSurrogates,
    PhaseSurrogates,
    RotationAngles,
    SourcePermutation,
    ToroidalShift,
    VariogramSurrogates,
    run_null_test,
)
from tests.agreement.nulls.fields import (
    blobs,
    centre_bias,
    centred_coordinates,
    density,
    everywhere,
    smooth_fields,
)

POOLED = SourcePermutation(within_strata=False)
WITHIN = SourcePermutation(within_strata=True)
METRIC = METRICS["nss"]
N_PIXELS, N_SOURCES = 18, 8
CLASSES = [0, 1] * (N_SOURCES // 2)


def stationary(rng):
    return smooth_fields(rng, N_SOURCES, N_PIXELS, sigma=2.0, periodic=True)


def scattered(rng):
    return blobs(rng, N_SOURCES, N_PIXELS, spread=3.0, sigma=1.5)


def centred(rng):
    return stationary(rng) + 2 * centre_bias(N_PIXELS, width=3.0)


def templated(rng):
    bump = centre_bias(N_PIXELS, width=3.0)
    sides = np.stack([np.roll(bump, 4, axis=1), np.roll(bump, -4, axis=1)])
    return stationary(rng) + 2 * sides[CLASSES]


def one_sided(rng):
    return stationary(rng) + 2 * np.roll(centre_bias(N_PIXELS, width=3.0), 4, axis=1)


def footprints(rng):
    """Ellipses of any orientation."""
    y, x = centred_coordinates(N_PIXELS)
    found = []
    for angle in rng.uniform(0, np.pi, N_SOURCES):
        along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
        found.append((along / 8) ** 2 + (across / 5) ** 2 < 1)
    return np.stack(found)


def p_values(null, draw_maps, n_experiments, *, within=None, seed=0):
    """P-values of experiments with maps and annotations that are independent."""
    rng = np.random.default_rng(seed)
    valid = everywhere(N_SOURCES, N_PIXELS) if within is None else within(rng)
    found = []
    for _ in range(n_experiments):
        maps, targets = draw_maps(rng), density(draw_maps(rng))
        table = null.tables([METRIC], maps, targets, valid, rng=rng)[0, 0]
        draws = null.draw(CLASSES, n_columns=table.shape[1], n_draws=199, rng=rng)
        found.append(run_null_test(table, draws, null=null.name).p_value)
    return np.array(found)


def band(n_experiments, level):
    return stats.binom.ppf([0.001, 0.999], n_experiments, level)


EXACT = [
    (POOLED, stationary, None),
    (POOLED, centred, None),
    (WITHIN, centred, None),
    (WITHIN, templated, None),
    (GridSymmetries(), scattered, None),
    (GridSymmetries(), centred, None),
    (RotationAngles(n_angles=8), scattered, None),
    (ToroidalShift(n_shifts=49), stationary, None),
    (PhaseSurrogates(n_surrogates=19, n_iterations=0), stationary, None),
    (PhaseSurrogates(n_surrogates=19, n_iterations=10), stationary, None),
    (VariogramSurrogates(n_surrogates=19), stationary, footprints),
    (MoranSurrogates(n_surrogates=19), stationary, footprints),
]
TOO_OFTEN = [
    (POOLED, templated, None),
    (GridSymmetries(), one_sided, None),
    (RotationAngles(n_angles=8), one_sided, None),
    (ToroidalShift(n_shifts=49), centred, None),
    (PhaseSurrogates(n_surrogates=19, n_iterations=0), centred, None),
    (VariogramSurrogates(n_surrogates=19), centred, footprints),
    (MoranSurrogates(n_surrogates=19), centred, footprints),
]

SLOW = (PhaseSurrogates, VariogramSurrogates)


def identify(case):
    return getattr(case, "name", getattr(case, "__name__", ""))


@pytest.mark.parametrize(("null", "draw_maps", "within"), EXACT, ids=identify)
def test_level_is_kept(null, draw_maps, within):
    n_experiments = 40 if isinstance(null, SLOW) else 200
    found = p_values(null, draw_maps, n_experiments, within=within)
    low, high = band(n_experiments, 0.05)
    assert low <= (found <= 0.05).sum() <= high


@pytest.mark.parametrize(("null", "draw_maps", "within"), TOO_OFTEN, ids=identify)
def test_nulls_that_break_what_is_shared_reject_too_often(null, draw_maps, within):
    n_experiments = 20 if isinstance(null, SLOW) else 60
    found = p_values(null, draw_maps, n_experiments, within=within)
    assert (found <= 0.05).sum() > stats.binom.ppf(0.9999, n_experiments, 0.05)


@pytest.mark.slow
@pytest.mark.parametrize(("null", "draw_maps", "within"), EXACT, ids=identify)
def test_level_is_kept_over_many_experiments(null, draw_maps, within):
    n_experiments = 1000
    found = p_values(null, draw_maps, n_experiments, within=within, seed=1)
    for level in (0.01, 0.05, 0.10):
        low, high = band(n_experiments, level)
        assert low <= (found <= level).sum() <= high, level


@pytest.mark.slow
def test_toroidal_shift_under_centre_bias_rejects_most_of_the_time():
    found = p_values(ToroidalShift(n_shifts=199), centred, 300)
    assert (found <= 0.05).mean() > 0.5
