"""Random changes of images: where pixels go."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch

from attnxai.training.augmentation import augmented
from attnxai.training.settings import TrainingSettings

SIDE = 20


@pytest.fixture
def draw(monkeypatch):
    """Sets what the generator gives: angle and scale as shares of their range, and the coin."""

    def set_values(
        *,
        turn: float = 0.0,
        coin: float = 0.9,
        scale: float = 0.5,
        shift: tuple[float, ...] = (0.5, 0.5),
    ) -> None:
        values = iter([turn, coin, scale, shift])

        def rand(*shape: int, generator: torch.Generator) -> torch.Tensor:
            return torch.tensor(next(values)).expand(shape)

        monkeypatch.setattr(torch, "rand", rand)

    return set_values


def one_pixel(row: int, column: int) -> torch.Tensor:
    image = torch.zeros(1, 1, SIDE, SIDE)
    image[0, 0, row, column] = 1.0
    return image


def apply(images: torch.Tensor, *, seed: int = 0, **changes: Any) -> torch.Tensor:
    settings = TrainingSettings(**{"shift": 0.0, **changes})
    return augmented(images, settings, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("turns", [0, 1, 2, 3])
@pytest.mark.parametrize("reflected", [False, True])
def test_exact_quarter_turns_and_reflections(draw, turns, reflected) -> None:
    draw(turn=turns / 4, coin=0.49 if reflected else 0.51)
    image = one_pixel(4, 15) + 0.5 * one_pixel(10, 7)  # no reflection of itself
    result = apply(image)
    candidates = [torch.rot90(image.flip(-1) if reflected else image, k, (2, 3)) for k in range(4)]
    distances = [float((result - candidate).abs().max()) for candidate in candidates]
    nearest, second, *_ = sorted(distances)
    assert nearest < 1e-4
    assert second > 0.4
    # angle grows in one direction: a quarter is the opposite of three quarters
    expected = turns if not reflected else None
    if expected is not None:
        assert distances.index(min(distances)) in (expected, -expected % 4)


def test_all_quarter_turns_differ(draw) -> None:
    results = []
    for turns in range(4):
        draw(turn=turns / 4)
        results.append(apply(one_pixel(4, 15)))
    places = {tuple(result[0, 0].argmax().reshape(1).tolist()) for result in results}
    assert len(places) == 4


@pytest.mark.parametrize(("share", "scale"), [(0.0, 1 / 1.1), (0.5, 1.0), (1.0, 1.1)])
def test_magnification_moves_pixels_away_from_the_centre(draw, share, scale) -> None:
    draw(scale=share)
    y = torch.arange(60.0)[:, None]
    x = torch.arange(60.0)[None, :]
    image = torch.exp(-((y - 29.5) ** 2 + (x - 49.5) ** 2) / 8)[None, None]
    result = apply(image)[0, 0]
    centroid = float((result * x).sum() / result.sum())
    assert centroid == pytest.approx(29.5 + 20 * scale, abs=0.05)
    assert float((result * y).sum() / result.sum()) == pytest.approx(29.5, abs=0.05)


def test_any_angle_keeps_distance_from_the_centre(draw) -> None:
    y = torch.arange(60.0)[:, None]
    x = torch.arange(60.0)[None, :]
    image = torch.exp(-((y - 29.5) ** 2 + (x - 44.5) ** 2) / 8)[None, None]
    draw(turn=0.1)
    result = apply(image)[0, 0]
    dx = float((result * x).sum() / result.sum()) - 29.5
    dy = float((result * y).sum() / result.sum()) - 29.5
    assert math.hypot(dx, dy) == pytest.approx(15.0, abs=0.05)
    assert abs(math.degrees(math.atan2(dy, dx))) == pytest.approx(36.0, abs=0.3)


def test_switched_off_nothing_changes() -> None:
    images = torch.rand(3, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    same = apply(images, rotate=False, reflect=False, scale=1.0)
    torch.testing.assert_close(same, images, rtol=0, atol=1e-5)


def test_reflection_alone_gives_image_or_mirror_image() -> None:
    images = one_pixel(3, 4).repeat(32, 1, 1, 1)
    results = apply(images, rotate=False, scale=1.0)
    kept = [torch.allclose(result, images[0], atol=1e-4) for result in results]
    mirrored = [torch.allclose(result, images[0].flip(-1), atol=1e-4) for result in results]
    assert all(a != b for a, b in zip(kept, mirrored, strict=True))
    assert 6 <= sum(kept) <= 26


@pytest.mark.parametrize(("share_x", "share_y"), [(0.0, 1.0), (0.5, 0.75)])
def test_shifts_are_in_pixels_along_each_axis(draw, share_x, share_y) -> None:
    draw(shift=(share_x, share_y))
    result = apply(one_pixel(10, 12), shift=4.0)[0, 0]
    row, column = divmod(int(result.argmax()), SIDE)
    assert result[row, column] == pytest.approx(1.0, abs=1e-4)
    # what is sampled further right comes to lie further left
    assert (column - 12, row - 10) == (-(8 * share_x - 4), -(8 * share_y - 4))


def test_every_image_is_changed_in_its_own_way_and_stays_in_range() -> None:
    image = torch.rand(1, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    before = image.clone()
    results = apply(image.repeat(6, 1, 1, 1))
    assert results.shape == (6, 1, SIDE, SIDE)
    assert results.min() >= 0.0
    assert results.max() <= 1.0 + 1e-6
    for i in range(6):
        for j in range(i):
            assert (results[i] - results[j]).abs().max() > 0.05
    assert torch.equal(image, before)


def test_new_pixels_are_zero(draw) -> None:
    draw(turn=0.125)
    result = apply(torch.ones(1, 1, SIDE, SIDE))
    assert result[0, 0, 0, 0] == 0.0
    assert result[0, 0, SIDE // 2, SIDE // 2] == pytest.approx(1.0)


def test_same_generator_same_changes_and_no_global_state() -> None:
    images = torch.rand(4, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(1))
    before = torch.get_rng_state()
    first, second = apply(images), apply(images)
    other = apply(images, seed=9)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert torch.equal(torch.get_rng_state(), before)
