"""What sources have to share for a permutation: classes, sizes, columns of the table, and all of these together."""

from __future__ import annotations

import dataclasses
import itertools
import warnings

import numpy as np
import pytest
from scipy import stats

from attnxai.agreement.comparison import ComparisonSettings, compare_pairs
from attnxai.agreement.comparison.strata import angular_sizes, strata_of
from attnxai.alignment.pairs import align
from attnxai.errors import OptionError
from attnxai.metrics import nss
from attnxai.nulls import emission_footprint
from tests.builders import made_up

QUICK = ComparisonSettings(metrics=("nss",), n_permutations=199, n_bootstrap=100)
SURVEYS = ("FIRST", "NVSS", "")


@pytest.fixture(scope="module")
def pairs():
    """Twelve sources of two classes, with a survey of all but every third and a column of two values each."""
    maps, marks, images = made_up(n_sources=12)
    annotations = tuple(
        dataclasses.replace(
            a,
            other={"survey": SURVEYS[int(a.source[-2:]) % 3], "night": f"{a.annotator} 1"},
        )
        for a in marks.annotations
    )
    return align(maps, dataclasses.replace(marks, annotations=annotations), images)


def test_classes_are_strata(pairs):
    assert strata_of(pairs, ("class",)).of_sources == (("FR I",), ("FR II",)) * 6


def test_a_column_of_the_table_is_a_key_and_an_empty_cell_is_not_known(pairs):
    found = strata_of(pairs, ("survey",)).of_sources
    assert found[:3] == (("FIRST",), ("NVSS",), None)
    both = strata_of(pairs, ("class", "survey")).of_sources
    assert both[0] == ("FR I", "FIRST")
    # one of two keys is known
    assert both[2] == ("FR I", None)
    assert len(set(both)) == 6


def test_who_marked_a_source_is_a_key():
    maps, marks, images = made_up(n_sources=12)
    kept = tuple(a for i, a in enumerate(marks.annotations) if i % 6 != 0)
    pairs = align(maps, dataclasses.replace(marks, annotations=kept), images)
    found = strata_of(pairs, ("annotators",))
    assert found.keys == ("annotators",)
    assert found.of_sources[:4] == (("bob",), ("ann + bob",), ("ann + bob",), ("bob",))


def test_an_unknown_column_names_what_there_is(pairs):
    message = (
        r"^unknown strata 'redshift'; known strata are class, size, annotators, survey; beside"
    )
    with pytest.raises(OptionError, match=message):
        strata_of(pairs, ("class", "redshift"))
    # two values for one source make no stratum
    with pytest.raises(OptionError, match="one value for each source"):
        compare_pairs(pairs, settings=dataclasses.replace(QUICK, strata=("night",)))


def test_sizes_are_thirds_of_the_angular_size(pairs):
    sizes = angular_sizes(pairs.brightness, pairs.valid, pairs.pixel_scale_arcsec)
    strata = strata_of(pairs, ("size",)).of_sources
    found = [stratum[0] for stratum in strata]
    expected = (stats.rankdata(sizes, method="ordinal") - 1) // 4
    assert found == expected.astype(int).tolist()


def test_sources_without_emission_have_no_size(pairs):
    brightness = pairs.brightness.copy()
    brightness[4] = 0.0
    changed = dataclasses.replace(pairs, brightness=brightness)
    found = strata_of(changed, ("size",)).of_sources
    assert found[4] is None
    assert all(stratum is not None for i, stratum in enumerate(found) if i != 4)


def moments_of(image, where, scale):
    """Length of the uniform ellipse with the second moments of the light, by numpy's covariance."""
    y, x = np.nonzero(where)
    light = image[where] - np.median(image)
    spread = np.cov(np.stack([x, y]), aweights=light, ddof=0) + np.eye(2) / 12
    return 4 * np.sqrt(np.linalg.eigvalsh(spread)[-1]) * scale


def test_angular_sizes_are_those_of_the_covariance(pairs):
    where = emission_footprint(pairs.brightness, pairs.valid)
    sizes = angular_sizes(pairs.brightness, pairs.valid, 1.8)
    expected = [
        moments_of(image.astype(np.float64), at, 1.8)
        for image, at in zip(pairs.brightness, where, strict=True)
    ]
    np.testing.assert_allclose(sizes, expected, rtol=1e-6)


def test_the_size_of_a_tilted_ellipse_is_its_length():
    y, x = np.mgrid[:81, :81] - 40.0
    along, across = 0.8 * x + 0.6 * y, 0.8 * y - 0.6 * x
    image = ((along / 30) ** 2 + (across / 8) ** 2 <= 1).astype(float)
    size = angular_sizes(image[None], np.ones((1, 81, 81), bool), 2.0)[0]
    assert size == pytest.approx(120, rel=0.01)
    turned = angular_sizes(np.rot90(image)[None], np.ones((1, 81, 81), bool), 2.0)[0]
    assert turned == pytest.approx(size, rel=1e-12)


def test_size_does_not_see_what_is_not_valid():
    image = np.zeros((1, 20, 20))
    image[0, 9:11, 5:15] = 1.0
    image[0, 0, :] = 1.0
    valid = np.ones(image.shape, bool)
    valid[0, 0] = False
    assert angular_sizes(image, valid, 1.0)[0] == pytest.approx(4 * np.sqrt(100 / 12))


def test_sources_are_permuted_within_all_keys_together(pairs):
    settings = dataclasses.replace(QUICK, strata=("class", "survey"))
    test = compare_pairs(pairs, settings=settings).estimate("gate1", "nss").within_strata
    assert test.null == "within class and survey"
    # two sources in each of six strata: source i and source i + 6
    assert test.exhaustive
    map_of = pairs.explanations["gate1"]
    values = np.array(
        [[np.mean([nss(m, d) for d in pairs.density[:, j]]) for j in range(12)] for m in map_of]
    )
    means = []
    for swapped in itertools.product((False, True), repeat=6):
        partner = np.where(np.tile(swapped, 2), (np.arange(12) + 6) % 12, np.arange(12))
        means.append(values[np.arange(12), partner].mean())
    np.testing.assert_allclose(np.sort(test.values), np.sort(means), rtol=1e-10)
    assert test.p_value == pytest.approx(np.mean(np.array(means) >= means[0] - 1e-9))


def test_a_source_alone_in_its_stratum_keeps_its_annotation(pairs):
    classes = ("FR I",) * 6 + ("FR II",) * 5 + ("hybrid",)
    alone = dataclasses.replace(pairs, classes=classes)
    result = compare_pairs(alone, settings=QUICK)
    test = result.estimate("gate1", "nss").within_strata
    assert test.n_sources == 12
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        only = dataclasses.replace(pairs, classes=tuple(f"class {i}" for i in range(12)))
        test = compare_pairs(only, settings=QUICK).estimate("gate1", "nss").within_strata
    # nothing can be permuted
    assert (test.n_draws, test.p_value, test.smallest_p) == (1, 1.0, 1.0)


def test_sources_without_a_value_are_permuted_among_each_other(pairs):
    some = dataclasses.replace(pairs, columns={"survey": ("A",) * 3 + ("B",) * 6 + (None,) * 3})
    settings = dataclasses.replace(QUICK, strata=("survey",), n_permutations=100_000)
    result = compare_pairs(some, settings=settings)
    assert result.strata[-1] is None
    test = result.estimate("gate1", "nss").within_strata
    assert test.n_draws == 6 * 720 * 6
    frame = result.per_source_frame()
    assert set(frame["stratum"].dropna()) == {"A", "B"}
