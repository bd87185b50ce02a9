"""Whether the pixels that a map ranks highest are those on which the answer of a network rests.

Pixels are replaced in the order of a map, and the class score and the probability are followed (Petsiuk et al. 2018,
arXiv 1806.07421; Samek et al. 2017). Three tests:

``deletion``
    Blank sky takes the place of the pixels of highest value first. The faster the probability falls, the better.
``insertion``
    Blank sky receives these pixels back. The faster the probability rises, the better.
``road``
    As deletion, but the pixels are imputed from their neighbours (ROAD; Rong et al. 2022, arXiv 2202.00449), so that
    what is left tells the network less about the shape of what was removed. Noise at the level of the image is added,
    and the clip of the preprocessing is applied again, without which empty sky would show emission.

Fractions of the pixels are spaced evenly in their logarithm, and areas are means over that logarithm: a source covers
some 2 % of a field, and in equal steps of the whole field the curves would end before the first step.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch

from attnxai.alignment.resample import maps_on_field
from attnxai.audit.faithfulness_result import BRIGHTNESS, RANDOM, Faithfulness, shifted_name
from attnxai.audit.imputation import impute_linearly
from attnxai.audit.noise import clip_noise, noise_level
from attnxai.audit.readout import field_scores
from attnxai.errors import AlignmentError, OptionError
from attnxai.explanations.targets import check_target, class_weights
from attnxai.statistics.bootstrap import bootstrap_counts

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.explanations.stack import MapStack
    from attnxai.models.model import AttentionModel


class FaithfulnessTest(enum.StrEnum):
    """What happens to pixels in the order of a map."""

    DELETION = "deletion"
    INSERTION = "insertion"
    ROAD = "road"


SMALLEST_FRACTION = 1e-3
STEPS_PER_DECADE = 4
_SAME_SCORES = 1e-3


def log_fractions(
    smallest: float = SMALLEST_FRACTION, *, per_decade: int = STEPS_PER_DECADE
) -> NDArray[np.float64]:
    """Fractions of the pixels from the smallest to 1, evenly spaced in their logarithm.

    Examples
    --------
    >>> log_fractions(0.01, per_decade=2).round(3)
    array([0.01 , 0.032, 0.1  , 0.316, 1.   ])
    """
    if not 0 < smallest < 1 or per_decade < 1:
        raise OptionError(
            f"the smallest fraction has to lie between 0 and 1 and per_decade to be 1 or more, got {smallest} "
            f"and {per_decade}"
        )
    n_steps = max(round(-np.log10(smallest) * per_decade), 1)
    return np.logspace(np.log10(smallest), 0.0, n_steps + 1)


def faithfulness_tests(
    model: AttentionModel,
    maps: MapStack,
    *,
    target: str | Sequence[str] | None = None,
    tests: Sequence[FaithfulnessTest | str] = tuple(FaithfulnessTest),
    fractions: NDArray[np.float64] | None = None,
    n_draws: int = 3,
    n_bootstrap: int = 2000,
    rng: np.random.Generator | int = 0,
    batch_size: int = 32,
    on_image: Callable[[int, int], None] | None = None,
) -> Faithfulness:
    """Deletion, insertion and ROAD for all maps of a stack, against random orders and brightness.

    Maps are interpolated to the field of the network and rank its pixels by their value, so that the most negative
    pixels of a signed map come last; pixels of equal value are in random order. Every map is compared with random
    orders of the pixels above the clip (blank sky comes last), with itself shifted cyclically by random distances and turned by a random quarter turn (a
    random order as smooth as the map), and with the brightness of the image.

    Parameters
    ----------
    model : AttentionModel
        The model that the maps explain; it is not changed.
    maps : MapStack
        Maps of some sources, with the brightness that the network saw.
    target : str or sequence of str, optional
        Class whose score and probability are followed, or several, the first against the others; the predicted
        class of each image when left out.
    tests : sequence of FaithfulnessTest
        Which tests.
    fractions : ndarray, optional
        Increasing fractions of the pixels, above 0 and up to 1; :func:`log_fractions` when left out.
    n_draws : int
        Random orders, and shifts of every map, per image.
    n_bootstrap : int
        Resamples of the sources for intervals.
    rng : numpy.random.Generator or int
        Draws orders, shifts, noise and resamples.
    batch_size : int
        Images in one forward pass. Besides the activations of the network the memory needed is that of this many
        fields of the network's input, however many maps and fractions there are.
    on_image : callable, optional
        Called with the number of finished sources and of all.

    Returns
    -------
    Faithfulness

    Raises
    ------
    OptionError
        If an option is out of its range.
    AlignmentError
        If the maps lie on another field than that of the model, or their class scores are not the model's.

    Notes
    -----
    The number of forward passes per source is (number of maps * (1 + n_draws) + 1 + n_draws) * (number of
    fractions) * (number of tests).

    Examples
    --------
    >>> import attnxai
    >>> files = attnxai.read_annotations("expert.csv").image_files()
    >>> images = attnxai.read_images(list(files.values())[:2])
    >>> model = attnxai.load_model("c1.pt")
    >>> maps = attnxai.attention_maps(model, images[:1])
    >>> found = faithfulness_tests(model, maps, tests=["deletion"], fractions=[0.01, 1.0], n_draws=1)
    >>> found.tests
    ('deletion',)
    """
    chosen = tuple(dict.fromkeys(FaithfulnessTest(one) for one in tests))
    steps = log_fractions() if fractions is None else np.asarray(fractions, dtype=np.float64)
    if not chosen or n_draws < 1 or n_bootstrap < 1:
        raise OptionError(
            "faithfulness needs a test, n_draws of 1 or more and n_bootstrap of 1 or more"
        )
    if (
        steps.ndim != 1
        or len(steps) < 2
        or steps[0] <= 0
        or steps[-1] > 1
        or (np.diff(steps) <= 0).any()
    ):
        raise OptionError("fractions have to increase, above 0 and up to 1, and to be 2 or more")
    check_target(target, model.class_names, model.name)
    weights = _weights(model, maps, target, batch_size)
    rng = np.random.default_rng(rng)
    found = maps_on_field(maps)
    layers = tuple(found)
    orders = (*layers, BRIGHTNESS, RANDOM, *map(shifted_name, layers))
    probability = np.full((len(chosen), len(orders), len(maps), len(steps)), np.nan)
    score = np.full_like(probability, np.nan)
    ends = np.full((2, 2, len(maps)), np.nan)
    for position in range(len(maps)):
        values = np.stack([found[name][position] for name in layers])
        image = np.asarray(maps.brightness[position], dtype=np.float64)
        ranking = _Ranking(np.flatnonzero(maps.valid[position]), image, values, rng)
        followed = _Followed(model, weights[position], batch_size, alone=target is None)
        whole = followed(iter([image, np.where(maps.valid[position], 0.0, image)]))
        ends[:, :, position] = whole
        for t, test in enumerate(chosen):
            for o, several in enumerate(ranking.orders(n_draws)):
                curves = [followed(_fields(model, image, one, steps, test, rng)) for one in several]
                probability[t, o, position], score[t, o, position] = np.mean(curves, axis=0)
        if on_image is not None:
            on_image(position + 1, len(maps))
    return Faithfulness(
        model_name=model.name,
        sources=maps.sources,
        target="predicted class"
        if target is None
        else target
        if isinstance(target, str)
        else tuple(target),
        tests=tuple(str(test) for test in chosen),
        layers=layers,
        fractions=steps,
        probability=probability,
        score=score,
        ends=ends,
        n_draws=n_draws,
        counts=bootstrap_counts(len(maps), n_bootstrap, rng),
    )


def _weights(
    model: AttentionModel, maps: MapStack, target: str | Sequence[str] | None, batch_size: int
) -> torch.Tensor:
    """Weight of every class, (n_sources, n_classes), after a check that the maps are of this model."""
    side = model.preprocessing.size
    if maps.field_shape != (side, side):
        rows, columns = maps.field_shape
        raise AlignmentError(
            f"the maps lie on a field of {rows} x {columns} pixels and the model {model.name} sees {side} x {side}; "
            "explain the images with this model"
        )
    scores = field_scores(model, torch.tensor(maps.brightness), batch_size=batch_size)
    if maps.scores is not None:
        stated = torch.tensor(np.asarray(maps.scores))
        size = max(float(stated.abs().max()), 1e-12)
        if (
            stated.shape != scores.shape
            or float((scores - stated).abs().max()) > _SAME_SCORES * size
        ):
            raise AlignmentError(
                f"the class scores that came with the maps are not those of the model {model.name}; give the model "
                "that the maps explain"
            )
    return class_weights(target, scores, model.class_names)


class _Followed:
    """Probability and score of what is explained, for fields that are made one batch at a time.

    Without a target the score is that of a class against the others, and the probability that of the class ``alone``.
    """

    def __init__(
        self, model: AttentionModel, weights: torch.Tensor, batch_size: int, *, alone: bool
    ) -> None:
        self.model, self.weights, self.batch_size, self.alone = model, weights, batch_size, alone

    def __call__(self, fields: Iterator[NDArray[np.float64]]) -> NDArray[np.float64]:
        """Array (2, n_fields): probabilities, then scores."""
        found, batch = [], []
        for field in fields:
            batch.append(field)
            if len(batch) == self.batch_size:
                found.append(self._of(batch))
                batch = []
        if batch:
            found.append(self._of(batch))
        return np.concatenate(found, axis=1)

    def _of(self, batch: list[NDArray[np.float64]]) -> NDArray[np.float64]:
        fields = torch.from_numpy(np.stack(batch).astype(np.float32))
        scores = field_scores(self.model, fields, batch_size=self.batch_size)
        probabilities = torch.softmax(scores / self.model.temperature, dim=1)
        of_probability = self.weights.clamp_min(0.0) if self.alone else self.weights
        return np.stack([(probabilities @ of_probability).numpy(), (scores @ self.weights).numpy()])


class _Ranking:
    """Orders of the pixels of one image that the network sees, each a list of positions in its flat field."""

    def __init__(
        self,
        pixels: NDArray[np.intp],
        image: NDArray[np.float64],
        maps: NDArray[np.float64],
        rng: np.random.Generator,
    ) -> None:
        self.pixels, self.image, self.maps, self.rng = pixels, image, maps, rng

    def orders(self, n_draws: int) -> Iterator[list[NDArray[np.intp]]]:
        """One for every map, one for brightness, several random ones, several for every map at random shifts."""
        for values in self.maps:
            yield [self._by(values)]
        yield [self._by(self.image)]
        # blank sky that is replaced by blank sky changes nothing, so that any map on emission would beat other orders
        yield [self._by((self.image > 0).astype(float)) for _ in range(n_draws)]
        for values in self.maps:
            yield [self._by(self._shifted(values)) for _ in range(n_draws)]

    def _by(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        # in random order first: a stable sort keeps it where values are equal
        pixels = self.rng.permutation(self.pixels)
        return np.asarray(pixels[np.argsort(-values.reshape(-1)[pixels], kind="stable")])

    def _shifted(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        turned = np.rot90(values, int(self.rng.integers(4)))
        distances = tuple(int(self.rng.integers(n)) for n in turned.shape)
        return np.roll(turned, distances, axis=(0, 1))


def _fields(
    model: AttentionModel,
    image: NDArray[np.float64],
    order: NDArray[np.intp],
    fractions: NDArray[np.float64],
    test: FaithfulnessTest,
    rng: np.random.Generator,
) -> Iterator[NDArray[np.float64]]:
    """The image with the first pixels of an order replaced, for every fraction."""
    level = noise_level(image, model.preprocessing) if test is FaithfulnessTest.ROAD else 0.0
    for fraction in fractions:
        first = order[: max(round(fraction * len(order)), 1)]
        where = np.zeros(image.shape, bool)
        where.reshape(-1)[first] = True
        if test is FaithfulnessTest.INSERTION:
            outside = np.ones(image.shape, bool)
            outside.reshape(-1)[order] = False
            yield np.where(where | outside, image, 0.0)
        elif test is FaithfulnessTest.ROAD:
            noisy = impute_linearly(image, where) + level * rng.standard_normal(image.shape)
            yield np.where(where, clip_noise(noisy, level, model.preprocessing), image)
        else:
            yield np.where(where, 0.0, image)
