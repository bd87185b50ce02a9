"""Imputation from neighbours, against a dense solution of the same equations."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.audit.imputation import impute_linearly


def dense(image, missing):
    """Each missing pixel is the weighted mean of its neighbours: by loops and a dense solver."""
    rows, columns = image.shape
    places = [tuple(place) for place in np.argwhere(missing)]
    matrix, right = np.zeros((len(places),) * 2), np.zeros(len(places))
    for i, (row, column) in enumerate(places):
        for down in (-1, 0, 1):
            for across in (-1, 0, 1):
                other = (row + down, column + across)
                inside = 0 <= other[0] < rows and 0 <= other[1] < columns
                if not inside or other == (row, column):
                    continue
                weight = 1 / 12 if down and across else 1 / 6
                matrix[i, i] += weight
                if missing[other]:
                    matrix[i, places.index(other)] -= weight
                else:
                    right[i] += weight * image[other]
    filled = image.copy()
    filled[missing] = np.linalg.solve(matrix, right)
    return filled


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_it_solves_the_dense_equations(share) -> None:
    rng = np.random.default_rng(1)
    image = rng.random((9, 12))
    missing = rng.random(image.shape) < share
    np.testing.assert_allclose(impute_linearly(image, missing), dense(image, missing), atol=1e-12)


def test_what_is_known_stays_and_what_is_missing_is_not_used() -> None:
    rng = np.random.default_rng(2)
    image, missing = rng.random((8, 8)), rng.random((8, 8)) < 0.4
    filled = impute_linearly(image, missing)
    assert np.array_equal(filled[~missing], image[~missing])
    assert np.array_equal(filled, impute_linearly(np.where(missing, 99.0, image), missing))
    low, high = image[~missing].min(), image[~missing].max()
    assert (filled >= low - 1e-12).all()
    assert (filled <= high + 1e-12).all()


def test_all_or_nothing_missing() -> None:
    image = np.full((4, 4), 2.0)
    assert np.array_equal(impute_linearly(image, np.ones((4, 4), bool)), np.zeros((4, 4)))
    assert np.array_equal(impute_linearly(image, np.zeros((4, 4), bool)), image)
    # one known pixel determines all others
    alone = np.ones((4, 4), bool)
    alone[0, 3] = False
    np.testing.assert_allclose(impute_linearly(image, alone), image)
