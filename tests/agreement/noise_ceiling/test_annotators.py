"""Inter-annotator agreement: its numbers are those of the functions for each of them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from attnxai.agreement.noise_ceiling.annotators import AnnotatorParts, annotator_agreement
from attnxai.agreement.noise_ceiling.intraclass import IntraclassForm, intraclass_correlations
from attnxai.agreement.noise_ceiling.marks import QUANTITIES, mark_properties
from attnxai.agreement.noise_ceiling.reliability import Measurement, krippendorff_alpha
from tests.report.tables.latex_reader import read_table

QUICK = {"n_permutations": 99, "n_bootstrap": 200}


def boxes(n_annotators=3, n_sources=20, seed=0, jitter=1):
    """Boxes of different sizes and places, on which annotators differ by a pixel or so."""
    rng = np.random.default_rng(seed)
    mask = np.zeros((n_annotators, n_sources, 36, 36), bool)
    for source in range(n_sources):
        height, width = rng.integers(3, 9, 2)
        row, column = rng.integers(2, 9, 2)
        for annotator in range(n_annotators):
            dy, dx, dh, dw = rng.integers(0, jitter + 1, 4)
            top, left = row + dy, column + dx
            mask[annotator, source, top : top + height + dh, left : left + width + dw] = True
    return mask, np.ones((n_annotators, n_sources), bool)


def test_numbers_are_those_of_each_function():
    mask, present = boxes()
    present[2, 4] = False
    found = annotator_agreement(mask, present, pixel_scale_arcsec=1.8, **QUICK)
    numbers = mark_properties(mask, present, pixel_scale_arcsec=1.8)
    assert [entry.quantity for entry in found.reliabilities] == list(QUANTITIES) == list(numbers)
    # all have one part and none is slanted, so there is nothing to agree about
    for entry in (found.reliabilities[0], found.reliabilities[-1]):
        assert np.isnan(entry.alpha.value)
        assert np.isnan(entry.icc.value)
    for entry in found.reliabilities[1:-1]:
        values = numbers[entry.quantity]
        assert entry.alpha.value == krippendorff_alpha(values, Measurement.INTERVAL)
        expected = intraclass_correlations(values)[IntraclassForm.ICC2].interval
        assert entry.icc == expected
        assert (entry.alpha.n_units, entry.icc.n_units) == (20, 19)
        assert entry.alpha.low < entry.alpha.value < entry.alpha.high
    assert found.reliabilities[1].alpha.value > 0.9
    assert found.n_annotators == 3
    assert found.overlap.observed.value > found.overlap.chance
    assert found.overlap.p_value == 0.01


def test_agreement_falls_with_what_annotators_differ_by():
    near = annotator_agreement(*boxes(jitter=1), **QUICK)
    far = annotator_agreement(*boxes(jitter=8), **QUICK)
    for close, apart in zip(near.reliabilities[1:5], far.reliabilities[1:5], strict=True):
        assert close.alpha.value > apart.alpha.value
        assert close.icc.value > apart.icc.value
    assert near.overlap.observed.value > far.overlap.observed.value


def test_without_common_sources_there_is_none():
    mask, present = boxes(n_annotators=2, n_sources=6)
    alone = np.eye(2, dtype=bool)[:, np.arange(6) % 2]
    assert annotator_agreement(mask, alone, **QUICK) is None
    assert annotator_agreement(np.zeros_like(mask), present, **QUICK) is None


def test_an_annotator_of_few_sources_leaves_no_complete_ones():
    mask, present = boxes(n_annotators=3, n_sources=10)
    present[2, 1:] = False
    found = annotator_agreement(mask, present, **QUICK)
    area = found.reliabilities[1]
    assert np.isnan(area.icc.value)
    assert "fewer than two sources were marked by every annotator" in area.icc.note
    assert area.alpha.known
    # an annotator who marked nothing at all is no annotator
    present[2] = False
    assert annotator_agreement(mask, present, **QUICK).reliabilities[1].icc.known


def test_same_seed_same_numbers():
    first, second = (annotator_agreement(*boxes(), rng=3, **QUICK) for _ in range(2))
    assert first.to_record() == second.to_record()


def test_exports():
    found = annotator_agreement(*boxes(), **QUICK)
    record = found.to_record()
    assert json.loads(json.dumps(record, allow_nan=False)) == record
    assert record["reliability"][1]["alpha_value"] == found.reliabilities[1].alpha.value
    assert record["overlap"]["ci_low"] == found.overlap.observed.low
    read = read_table(found.to_latex())
    assert read.header[1:4] == ["{Krippendorff's $\\alpha$}", r"95\,\% interval", "{ICC2}"]
    assert len(read.rows) == len(QUANTITIES)
    assert "mean IoU" in found.summary()
    assert found.summary().count("alpha") == len(QUANTITIES)
    assert "Krippendorff&#x27;s α" in found._repr_html_()


@pytest.mark.parametrize("level", [0.8, 0.95])
def test_the_level_is_that_asked_for(level):
    found = annotator_agreement(*boxes(), level=level, **QUICK)
    for entry in found.reliabilities[1:]:
        assert entry.alpha.level == entry.icc.level == level
    assert found.overlap.observed.level == level


def test_empty_masks_count_also_where_no_two_annotators_share_a_source():
    """A block of sources with one annotator each has no overlap, and still its empty masks."""
    rng = np.random.default_rng(0)
    mask, present = rng.random((2, 8, 6, 6)) < 0.5, np.ones((2, 8), bool)
    present[0, 4:] = False  # the second half has one annotator
    mask[1, 1] = mask[1, 5] = mask[1, 6] = mask[0, 7] = False  # the last is not present

    def parts_of(rows):
        return AnnotatorParts.of(
            mask[:, rows],
            present[:, rows],
            pixel_scale_arcsec=1.0,
            strata=None,
            n_permutations=9,
            rng=np.random.default_rng(1),
        )

    first, second = parts_of(slice(0, 4)), parts_of(slice(4, 8))
    assert second.overlap is None
    for joined in (first + second, second + first, parts_of(slice(0, 8))):
        found = joined.agreement(
            n_bootstrap=20, level=0.95, streams=np.random.default_rng(2).spawn(8)
        )
        assert found.overlap.n_empty == 3
