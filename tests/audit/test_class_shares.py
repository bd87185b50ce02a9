"""Areas under the ROC curve of many sources."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.audit import class_shares
from attnxai.audit.class_shares import RocAuc, SourceClasses, auc_interval, binary_auc
from attnxai.statistics import bootstrap
from attnxai.statistics.resamples import Resamples


def test_auc_without_each_source_is_that_of_rows_of_counts() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=40)
    values = np.round(rng.normal(size=40) + labels, 1)  # some of them equal
    auc = binary_auc(values, labels)
    np.testing.assert_allclose(auc.left_out(), auc(1.0 - np.eye(40)), rtol=1e-13)
    scores, classes = rng.normal(size=(40, 3)), rng.integers(3, size=40)
    auc = RocAuc(scores, classes)
    np.testing.assert_allclose(auc.left_out(), auc(1.0 - np.eye(40)), rtol=1e-13)
    lonely = binary_auc(values[:6], np.array([0, 0, 0, 0, 0, 1]))
    np.testing.assert_allclose(lonely.left_out(), lonely(1.0 - np.eye(6)))


def test_intervals_of_aucs_of_many_sources_are_nearly_those_of_rows(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    rng = np.random.default_rng(0)
    classes = ["FR I", "FR II"] * 100
    known = SourceClasses.of([f"s{i:03d}" for i in rng.permutation(200)], classes)
    auc = binary_auc(rng.normal(size=200) + 0.7 * known.labels, known.labels)
    expected = auc_interval(auc, known.resamples(2000, np.random.default_rng(1)), known.labels)
    monkeypatch.setattr(bootstrap, "_MOST_IN_ROWS", 100)
    monkeypatch.setattr(class_shares, "MOST_KEPT", 100)
    counts = known.resamples(2000, np.random.default_rng(1))
    assert isinstance(counts, Resamples)
    found = auc_interval(auc, counts, known.labels)
    assert (found.value, found.n_units) == (expected.value, 200)
    np.testing.assert_allclose(
        [found.low, found.high],
        [expected.low, expected.high],
        atol=0.1 * (expected.high - expected.low),
    )
