"""Grids that keep numbers alone have the coordinate systems of those that they were made of, to the last bit."""

from __future__ import annotations

import dataclasses
import gc
import pickle
import weakref
from typing import Any

import numpy as np
import pytest
from astropy.wcs import WCS

from attnxai.data import grids_on_demand
from attnxai.data.grid import PixelGrid, RowZero
from attnxai.data.grids_on_demand import GridOnDemand
from attnxai.data.regridding import square_pixels
from attnxai.data.sky import pixel_to_sky, stated_numbers

SCALES = {"CDELT1": -5e-4, "CDELT2": 5e-4}
SIN = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN"}
MATRIX = {"PC1_1": 0.8, "PC1_2": -0.6, "PC2_1": 0.6, "PC2_2": 0.8}
SYSTEMS: dict[str, dict[str, Any]] = {
    "scales": {**SIN, **SCALES},
    "PC": {**SIN, **SCALES, **MATRIX},
    "CROTA": {**SIN, **SCALES, "CROTA2": 30.0},
    "CD": {**SIN, "CD1_1": -4e-4, "CD1_2": 3e-4, "CD2_1": 3e-4, "CD2_2": 4e-4},
    "Galactic": {"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN", **SCALES},
    "latitude first": {"CTYPE1": "DEC--TAN", "CTYPE2": "RA---TAN", **SCALES},
    "FK5 of 1950": {**SIN, **SCALES, "RADESYS": "FK5", "EQUINOX": 1950.0},
    "FK4": {**SIN, **SCALES, "RADESYS": "FK4", "EQUINOX": 1950.0, "DATE-OBS": "1984-02-03", "MJD-OBS": 45733.0},
    "pole": {"CTYPE1": "RA---CAR", "CTYPE2": "DEC--CAR", **SCALES, "LONPOLE": 12.0, "LATPOLE": 70.0},
    "parameters": {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", **SCALES, "PV2_1": 0.1, "PV2_2": 0.2},
    "arcsec": {**SIN, "CDELT1": -1.8, "CDELT2": 1.8, "CUNIT1": "arcsec", "CUNIT2": "arcsec"},
}  # fmt: skip


def grid_of(cards: dict[str, Any], number: int) -> PixelGrid:
    """The grid of an image of a survey, somewhere else for each number."""
    per_degree = 3600 if cards.get("CUNIT1") == "arcsec" else 1
    wcs = WCS({
        **cards, "CRVAL1": (10 + number / 7) * per_degree, "CRVAL2": (20 - number / 3) * per_degree,
        "CRPIX1": 20.5 + number, "CRPIX2": 20.5 - number,
    })  # fmt: skip
    wcs.pixel_shape = None
    return PixelGrid(shape=(40, 41), wcs=wcs, row_zero=RowZero.TOP)


@pytest.fixture(autouse=True)
def _no_examples(monkeypatch):
    monkeypatch.setattr(grids_on_demand, "_examples", {})


@pytest.mark.parametrize("cards", SYSTEMS.values(), ids=list(SYSTEMS))
def test_systems_made_again_are_the_same(cards):
    for number in range(5):
        grid = grid_of(cards, number)
        found = GridOnDemand.of(grid)
        assert type(found) is GridOnDemand
        assert GridOnDemand.of(found) is found
        assert isinstance(found, PixelGrid)
        assert found.wcs.wcs.compare(grid.wcs.wcs)
        assert stated_numbers(found.wcs) == stated_numbers(grid.wcs)
        x, y = np.meshgrid(np.linspace(-3, 45, 7), np.linspace(-3, 45, 7))
        np.testing.assert_array_equal(pixel_to_sky(found.wcs, x, y), pixel_to_sky(grid.wcs, x, y))
        for name in ("shape", "pixel_scale_arcsec", "row_zero", "file_pixels", "middle"):
            assert getattr(found, name) == getattr(grid, name)
        plain = dataclasses.replace(found)
        assert type(plain) is PixelGrid
        assert plain.wcs is found.wcs
        again = pickle.loads(pickle.dumps(found))  # noqa: S301
        assert type(again) is GridOnDemand
        assert again.wcs.wcs.compare(grid.wcs.wcs)
        assert pickle.dumps(again) == pickle.dumps(found)
        for name in ("shape", "pixel_scale_arcsec", "row_zero", "file_pixels"):
            assert getattr(again, name) == getattr(grid, name)
    assert len(grids_on_demand._examples) == 1


def test_no_system_but_an_example_is_kept():
    first, second = grid_of(SYSTEMS["scales"], 0), grid_of(SYSTEMS["scales"], 1)
    GridOnDemand.of(first)
    found = GridOnDemand.of(second)
    system = weakref.ref(second.wcs)
    del second
    gc.collect()
    assert system() is None
    assert found.wcs.wcs.crpix.tolist() == [21.5, 19.5]


def test_what_numbers_do_not_make_again_stays_as_it_is():
    sip = {"CTYPE1": "RA---TAN-SIP", "CTYPE2": "DEC--TAN-SIP", **SCALES, "A_ORDER": 2, "B_ORDER": 2}
    distorted = grid_of({**sip, "A_2_0": 1e-6, "B_0_2": 2e-6}, 0)
    sized = grid_of(SYSTEMS["PC"], 0)
    sized.wcs.pixel_shape = (40, 41)
    for grid in (
        distorted,
        sized,
        PixelGrid(shape=(3, 4)),
        PixelGrid(shape=(3, 4), pixel_scale_arcsec=2.0),
    ):
        assert GridOnDemand.of(grid) is grid
    # what an image states beside its numbers, and another of its survey does not
    named = grid_of(SYSTEMS["CD"], 1)
    named.wcs.wcs.cname = ["a", "b"]
    assert type(GridOnDemand.of(grid_of(SYSTEMS["CD"], 0))) is GridOnDemand
    assert GridOnDemand.of(named) is named


def test_frames_have_examples_of_their_own():
    for number in range(3):
        for name in ("scales", "FK5 of 1950", "FK4", "Galactic"):
            assert type(GridOnDemand.of(grid_of(SYSTEMS[name], number))) is GridOnDemand
    assert len(grids_on_demand._examples) == 4


def test_there_are_not_any_number_of_examples(monkeypatch):
    monkeypatch.setattr(grids_on_demand, "_MOST_EXAMPLES", 2)
    found = [GridOnDemand.of(grid_of(SYSTEMS[name], 0)) for name in ("PC", "CROTA", "CD")]
    assert [type(grid) is GridOnDemand for grid in found] == [True, True, False]
    assert len(grids_on_demand._examples) == 2


def test_pixels_that_were_made_square():
    cards = {
        **SIN,
        "CDELT1": -5e-4,
        "CDELT2": 1e-3,
        "CRVAL1": 10.0,
        "CRVAL2": 20.0,
        "CRPIX1": 20.0,
        "CRPIX2": 10.0,
    }
    made = square_pixels(np.random.default_rng(0).random((20, 40)), WCS(cards))
    assert made is not None
    found = GridOnDemand.of(made.grid)
    assert type(found) is GridOnDemand
    assert found.file_pixels == made.grid.file_pixels
    assert found.wcs.wcs.compare(made.grid.wcs.wcs)
