"""The common frame of emission, and what the shape of emission explains of maps."""

from __future__ import annotations

import numpy as np
from scipy.ndimage import gaussian_filter

from attnxai.nulls.emission_frames import (
    BLUR_PIXELS,
    FRAME_SHAPE,
    frame_pixels,
    in_frames,
    less_emission,
)


def footprint(rng, side=40):
    """An irregular, elongated piece of emission."""
    y, x = np.mgrid[:side, :side] - side / 2
    angle = rng.uniform(0, np.pi)
    along, across = np.cos(angle) * x + np.sin(angle) * y, np.cos(angle) * y - np.sin(angle) * x
    ellipse = (along / rng.uniform(10, 16)) ** 2 + (across / rng.uniform(3, 6)) ** 2 < 1
    return ellipse & (gaussian_filter(rng.normal(size=(side, side)), 1.5) > -0.15)


def test_every_pixel_has_its_share_of_the_frame():
    rng = np.random.default_rng(0)
    for _ in range(5):
        where = footprint(rng)
        pixels = frame_pixels(where)
        assert pixels.shape == FRAME_SHAPE
        found, counts = np.unique(pixels, return_counts=True)
        assert set(found) <= set(np.flatnonzero(where))
        # between an equal share and one slab more on either side
        equal = pixels.size / where.sum()
        assert counts.max() <= 2 * equal + 2
        assert len(found) > 0.8 * min(where.sum(), pixels.size)
    assert (frame_pixels(np.eye(1, 4, 2, dtype=bool)) == 2).all()


def test_the_frame_turns_with_the_emission():
    rng = np.random.default_rng(1)
    field = rng.random((40, 40))
    where = footprint(rng)
    plain = in_frames(field[None], frame_pixels(where)[None])[0]
    for turned in (lambda a: np.rot90(a), lambda a: np.rot90(a, 2), lambda a: a[::-1]):
        other = in_frames(turned(field)[None], frame_pixels(turned(where))[None])[0]
        # ties between pixels at the same place along the axis may be resolved the other way
        assert (np.sort(other, axis=1) == np.sort(plain, axis=1)).mean() > 0.6
        smooth = [
            in_frames(turned(f)[None], frame_pixels(turned(w))[None])[0]
            for f, w in ((gaussian_filter(field, 3), where),)
        ]
        reference = in_frames(gaussian_filter(field, 3)[None], frame_pixels(where)[None])[0]
        assert np.corrcoef(smooth[0].ravel(), reference.ravel())[0, 1] > 0.98


def test_values_go_with_their_sources():
    rng = np.random.default_rng(2)
    where = np.stack([footprint(rng) for _ in range(3)])
    pixels = np.stack([frame_pixels(one) for one in where])
    fields = rng.random((2, 3, 40, 40))
    found = in_frames(fields, pixels)
    assert found.shape == (2, 3, *FRAME_SHAPE)
    assert found[1, 2, 5, 7] == fields[1, 2].ravel()[pixels[2, 5, 7]]


def test_nothing_is_left_of_maps_that_know_emission_alone():
    rng = np.random.default_rng(3)
    emission = np.stack([footprint(rng) for _ in range(2)])
    where = emission & (np.arange(40) > 4)
    blurred = gaussian_filter(
        emission.astype(float), (0, BLUR_PIXELS[1], BLUR_PIXELS[1]), mode="constant"
    )
    noise = rng.normal(size=emission.shape)
    maps = np.stack(
        [3 * blurred + 1 - blurred**2, noise, noise - 5 * blurred, np.full(noise.shape, 1e6)]
    )
    left = less_emission(maps, emission, where)
    assert not left[[0, 3]].any()
    assert not left[:, ~where].any()
    np.testing.assert_allclose(left[1], left[2], atol=1e-9)
    for source, used in enumerate(where):
        masks = [
            gaussian_filter(emission[source].astype(float), w, mode="constant")[used]
            for w in BLUR_PIXELS
        ]
        terms = [np.ones(used.sum()), *masks, *(mask**2 for mask in masks[:3])]
        expected = noise[source][used]
        fit = np.linalg.lstsq(np.column_stack(terms), expected, rcond=None)[0]
        np.testing.assert_allclose(left[1, source][used], expected - np.column_stack(terms) @ fit)
