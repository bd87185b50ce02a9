"""What all nulls have in common."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.agreement.metrics import METRICS, TargetKind, own_tables
from attnxai.agreement.nulls import (
    NULLS,
    GridSymmetries,
    MoranSurrogates,
    NullModel,
    PhaseSurrogates,
    Rotation,
    SourcePermutation,
    ToroidalShift,
    VariogramSurrogates,
    run_null_test,
    usable_sources,
)
from tests.agreement.nulls.fields import blobs

ALL: list[NullModel] = [
    SourcePermutation(within_strata=False),
    SourcePermutation(within_strata=True, keys=("class", "survey")),
    GridSymmetries(),
    Rotation(n_angles=4),
    ToroidalShift(n_shifts=7),
    PhaseSurrogates(n_surrogates=5, n_iterations=1),
    VariogramSurrogates(n_surrogates=5),
    MoranSurrogates(n_surrogates=5),
]
N_SOURCES, N_ANNOTATORS, N_PIXELS = 5, 2, 16


def by_name(null):
    return null.label


@pytest.fixture
def problem():
    """Maps and targets as a comparison holds them: float32 densities, nothing that can be written to."""
    rng = np.random.default_rng(0)
    maps = blobs(rng, N_SOURCES, N_PIXELS)
    density = blobs(rng, N_ANNOTATORS * N_SOURCES, N_PIXELS).astype(np.float32)
    density = density.reshape(N_ANNOTATORS, N_SOURCES, N_PIXELS, N_PIXELS)
    targets = {TargetKind.DENSITY: density, TargetKind.MASK: density > 0.5}
    valid = np.ones(maps.shape, bool)
    for array in (maps, valid, *targets.values()):
        array.setflags(write=False)
    return maps, targets, valid


@pytest.mark.parametrize("null", ALL, ids=by_name)
def test_every_metric_under_every_null(null, problem):
    metrics = list(METRICS.values())
    rng = np.random.default_rng(1)
    tables = null.tables(metrics, *problem, rng=rng)
    n_columns = tables.shape[3]
    assert tables.shape == (len(metrics), N_ANNOTATORS, N_SOURCES, n_columns)
    draws = null.draw([("FR I", "FIRST")] * N_SOURCES, n_columns=n_columns, n_draws=50, rng=rng)
    assert draws.permutes_sources is null.permutes_sources
    for metric, table in zip(metrics, tables.mean(axis=1), strict=True):
        usable = usable_sources(table, permutes_sources=null.permutes_sources)
        if isinstance(null, MoranSurrogates) and not metric.signed_maps:
            continue  # its surrogates can be negative
        assert usable.size == N_SOURCES
        test = run_null_test(table, draws, null=null.label)
        assert 0 < test.smallest_p <= test.p_value <= 1


@pytest.mark.parametrize(
    "null",
    [null for null in ALL if not isinstance(null, Rotation)],
    ids=by_name,
)
def test_what_was_observed_is_the_metric_itself(null, problem):
    metrics = [METRICS["nss"], METRICS["auc"], METRICS["shuffled_auc"]]
    tables = null.tables(metrics, *problem, rng=np.random.default_rng(1))
    maps, targets, valid = problem
    own = own_tables(metrics, maps[None], targets, valid)[:, 0]
    observed = np.diagonal(tables, axis1=2, axis2=3) if null.permutes_sources else tables[..., 0]
    np.testing.assert_allclose(observed, own, rtol=1e-10)


@pytest.mark.parametrize("null", ALL, ids=by_name)
def test_same_seed_same_tables_whatever_else_is_asked_for(null, problem):
    both = null.tables([METRICS["auc"], METRICS["nss"]], *problem, rng=np.random.default_rng(2))
    one = null.tables([METRICS["nss"]], *problem, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(both[1], one[0])


def test_names_and_words_are_there_and_differ():
    assert len({null.label for null in ALL}) == len(ALL)
    assert {null.name: type(null) for null in ALL} == NULLS
    for null in ALL:
        assert null.question.endswith("?")
        assert "ejects" in null.assumes
