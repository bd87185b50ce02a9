"""What all nulls have in common."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.errors import OptionError
from attnxai.metrics import METRICS, TargetKind, nss, own_tables
from attnxai.nulls import (
    NULLS,
    MoranSurrogates,
    PhaseSurrogates,
    Rotation,
    SourcePermutation,
    SurrogateNull,
    ToroidalShift,
    VariogramSurrogates,
    run_null_test,
    usable_sources,
)
from attnxai.validation.rejections import NullKind
from tests.nulls.fields import SMALL_NULLS, blobs, disc

SOURCEWISE = [null for null in SMALL_NULLS if not null.permutes_sources]
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


@pytest.mark.parametrize("null", SMALL_NULLS, ids=by_name)
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
        if not metric.signed_maps and np.isfinite(table[:, 0]).all() and not usable.size:
            continue  # some surrogates are negative
        assert usable.size == N_SOURCES
        test = run_null_test(table, draws, null=null.label)
        assert 0 < test.smallest_p <= test.p_value <= 1


@pytest.mark.parametrize(
    "null", [n for n in SMALL_NULLS if not isinstance(n, Rotation)], ids=by_name
)
def test_what_was_observed_is_the_metric_itself(null, problem):
    metrics = [nss, METRICS["auc"], METRICS["shuffled_auc"]]
    tables = null.tables(metrics, *problem, rng=np.random.default_rng(1))
    maps, targets, valid = problem
    own = own_tables(metrics, maps[None], targets, valid)[:, 0]
    observed = np.diagonal(tables, axis1=2, axis2=3) if null.permutes_sources else tables[..., 0]
    np.testing.assert_allclose(observed, own, rtol=1e-10)


@pytest.mark.parametrize("null", SMALL_NULLS, ids=by_name)
def test_same_seed_same_tables_whatever_else_is_asked_for(null, problem):
    both = null.tables([METRICS["auc"], nss], *problem, rng=np.random.default_rng(2))
    one = null.tables([nss], *problem, rng=np.random.default_rng(2))
    np.testing.assert_array_equal(both[1], one[0])


@pytest.mark.parametrize("null", SOURCEWISE, ids=by_name)
def test_sources_do_not_depend_on_each_other(null, problem):
    maps, targets, valid = problem
    whole = null.tables([nss], *problem, rng=np.random.default_rng(4))
    fewer = {kind: values[:, :2] for kind, values in targets.items()}
    part = null.tables([nss], maps[:2], fewer, valid[:2], rng=np.random.default_rng(4))
    np.testing.assert_array_equal(whole[:, :, :2], part)
    where = valid.copy()
    where[3] = False
    found = null.tables([nss], maps, targets, where, rng=np.random.default_rng(4))
    assert np.isnan(found[:, :, 3]).all()
    if not isinstance(null, ToroidalShift):  # which uses pixels that are valid for all
        np.testing.assert_array_equal(np.delete(found, 3, axis=2), np.delete(whole, 3, axis=2))


@pytest.mark.parametrize(
    "null", [n for n in SMALL_NULLS if isinstance(n, SurrogateNull)], ids=by_name
)
def test_the_map_itself_comes_first_on_the_pixels_that_are_used(null, problem):
    maps, targets, valid = problem
    where = valid & disc(N_PIXELS)
    # fewer than 16 pixels, about no centre and about that of the field
    where[1:3] = False
    where[1, 3:6, 3:8] = True
    where[2, 6:10, 7:9] = where[2, 7:9, 6:10] = True
    used, surrogates = null.surrogates(maps[0], where[0], np.random.default_rng(0).spawn(1)[0])
    tables = null.tables([nss], maps, targets, where, rng=np.random.default_rng(0))
    marks = null.target_values(targets["density"][:, 0], TargetKind.DENSITY, used)
    expected = nss.evaluate(surrogates[:1], marks)[0]
    np.testing.assert_allclose(tables[0, :, 0, 0], expected, rtol=1e-12)
    assert len(surrogates) == tables.shape[3]
    if not isinstance(null, Rotation):
        assert not (used & ~where[0]).any()
        np.testing.assert_array_equal(surrogates[0], maps[0][used])
    assert np.isfinite(tables[:, :, 0]).all()
    assert np.isnan(tables[:, :, 1:3]).all()


@pytest.mark.parametrize(
    ("null", "options", "named"),
    [
        (Rotation, {"n_angles": 1}, "n_angles"),
        (Rotation, {"order": 2}, "order"),
        (ToroidalShift, {"n_shifts": 0}, "n_shifts"),
        (PhaseSurrogates, {"n_surrogates": 0}, "n_surrogates"),
        (PhaseSurrogates, {"n_iterations": -1}, "n_iterations"),
        (VariogramSurrogates, {"n_surrogates": 0}, "n_surrogates"),
        (MoranSurrogates, {"n_surrogates": 0}, "n_surrogates"),
        (MoranSurrogates, {"max_pixels": 15}, "max_pixels"),
        (SourcePermutation, {"keys": ()}, "need a key"),
    ],
)
def test_impossible_options_are_refused(null, options, named):
    with pytest.raises(OptionError, match=named):
        null(**options)


@pytest.mark.parametrize("null", SOURCEWISE, ids=by_name)
def test_draws_need_to_know_the_columns(null):
    rng = np.random.default_rng(0)
    assert null.draw([0, 1], n_columns=10, n_draws=99, rng=rng).choices.shape == (99, 2)
    with pytest.raises(OptionError, match="n_columns is needed"):
        null.draw([0, 1], n_draws=10, rng=rng)


def test_names_and_words_are_there_and_differ():
    assert len({null.label for null in SMALL_NULLS}) == len(SMALL_NULLS)
    for null in SMALL_NULLS:
        assert NULLS[null.name] is type(null)
        assert null.question.endswith("?")
        assert "ejects" in null.assumes


def test_every_null_is_validated():
    missing = set(NULLS.values()) - {type(kind.model) for kind in NullKind}
    assert not missing, (
        "say in NullKind (attnxai/validation/rejections.py) where these hold their level"
    )
