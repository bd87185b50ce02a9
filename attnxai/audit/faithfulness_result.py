"""Curves of deletion, insertion and ROAD, their areas, and what follows from them."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai import presenters
from attnxai.audit.source_means import interval_columns, position_of
from attnxai.data.short_repr import ArrayResult
from attnxai.data.wording import answered, counted, listed
from attnxai.errors import OptionError
from attnxai.statistics.bootstrap import mean_interval
from attnxai.statistics.formats import with_interval

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from attnxai.statistics.interval import Interval

BRIGHTNESS, RANDOM = "brightness", "random order"
PROBABILITY, SCORE = "probability", "score"
TITLES = {"deletion": "deletion", "insertion": "insertion", "road": "ROAD"}
"""Tests as they stand in sentences."""
INSERTION = "insertion"
"""The one test in which a high curve is good."""


def shifted_name(layer: str) -> str:
    """Name of the order of a map that is shifted at random."""
    return f"{layer}, shifted"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False, repr=False)
class Faithfulness(ArrayResult):
    """How the answer of a model changes as pixels are replaced in the order of its maps.

    A map is **faithful** if in every test its area is better than those of pixels in random order and of the map
    itself at random shifts: the 95 % intervals of both paired differences over sources lie above 0. For a map that
    has nothing to do with the image each of these intervals does so in about 2.5 % of cases, and all together in no
    more.

    Parameters
    ----------
    model_name : str
        The model.
    sources : tuple of str
        Ids of the images.
    target : str or tuple of str
        What is followed: a class, two classes, or ``predicted class``.
    tests : tuple of str
        ``deletion``, ``insertion``, ``road``.
    layers : tuple of str
        The maps.
    fractions : ndarray, shape (n_steps,)
        Fractions of the pixels that are replaced.
    probability, score : ndarray, shape (n_tests, n_orders, n_sources, n_steps)
        Probability and class score. Orders are those of :attr:`orders`; random ones are means over draws.
    ends : ndarray, shape (2, 2, n_sources)
        Probability and score (first axis) of the whole image and of blank sky (second axis).
    n_draws : int
        Random orders per image.
    counts : ndarray, shape (n_bootstrap, n_sources)
        Resamples, the same for all intervals.

    Examples
    --------
    >>> import attnxai
    >>> images = attnxai.read_images(list(attnxai.read_annotations("expert.csv").image_files().values())[:1])
    >>> model = attnxai.load_model("c1.pt")
    >>> maps = attnxai.attention_maps(model, images)
    >>> found = attnxai.audit.faithfulness_tests(model, maps, tests=["deletion"], fractions=[0.01, 1.0], n_draws=1)
    >>> found.layers, found.tests, found.fractions.tolist()
    (('gate1', 'gate2', 'gate3', 'mean'), ('deletion',), [0.01, 1.0])
    """

    model_name: str
    sources: tuple[str, ...]
    target: str | tuple[str, ...]
    tests: tuple[str, ...]
    layers: tuple[str, ...]
    fractions: NDArray[np.float64]
    probability: NDArray[np.float64]
    score: NDArray[np.float64]
    ends: NDArray[np.float64]
    n_draws: int
    counts: NDArray[np.float64]

    plot = presenters.plot

    @property
    def orders(self) -> tuple[str, ...]:
        """Orders of the pixels: of every map, of brightness, random, and of every map at random shifts."""
        return (*self.layers, BRIGHTNESS, RANDOM, *map(shifted_name, self.layers))

    def areas(self, quantity: str = PROBABILITY) -> NDArray[np.float64]:
        """Mean of every curve over the logarithm of the fraction, shape (n_tests, n_orders, n_sources)."""
        if quantity not in (PROBABILITY, SCORE):
            raise OptionError(f"quantity has to be {PROBABILITY} or {SCORE}, got {quantity!r}")
        curves = self.probability if quantity == PROBABILITY else self.score
        place = np.log(self.fractions)
        middles = (curves[..., 1:] + curves[..., :-1]) / 2
        return np.asarray(middles @ np.diff(place) / (place[-1] - place[0]))

    def gains(self, layer: str, reference: str, quantity: str = PROBABILITY) -> NDArray[np.float64]:
        """How much better a map's area is than that of another order, shape (n_tests, n_sources).

        Above 0 where the map's curve falls faster in deletion and ROAD, or rises faster in insertion.
        """
        areas = self.areas(quantity)
        difference = areas[:, self._index(layer)] - areas[:, self._index(reference)]
        sign = np.array([1.0 if test == INSERTION else -1.0 for test in self.tests])
        return np.asarray(sign[:, None] * difference)

    def gain(self, layer: str, reference: str, test: str, quantity: str = PROBABILITY) -> Interval:
        """Mean gain over sources in one test, with its interval."""
        if test not in self.tests:
            raise OptionError(
                f"test {test!r} was not run; those that were are {', '.join(self.tests)}"
            )
        values = self.gains(layer, reference, quantity)[self.tests.index(test)]
        return mean_interval(values, self.counts)

    def area(self, order: str, test: str, quantity: str = PROBABILITY) -> Interval:
        """Mean area of an order over sources in one test, with its interval."""
        values = self.areas(quantity)[self.tests.index(test), self._index(order)]
        return mean_interval(values, self.counts)

    def exceeds(self, layer: str, reference: str) -> bool | None:
        """Whether a map is better than another order in every test; None without intervals.

        Both quantities can be asked for in :meth:`gain`; this rule is about the probability.
        """
        found = [self.gain(layer, reference, test) for test in self.tests]
        if not any(interval.known for interval in found):
            return None
        return all(interval.known and interval.low > 0 for interval in found)

    def faithful(self, layer: str) -> bool | None:
        """Whether a map is better than random orders, and than itself at random shifts, in every test."""
        answers = [self.exceeds(layer, RANDOM), self.exceeds(layer, shifted_name(layer))]
        return None if None in answers else all(answers)

    def unfaithful(self, layer: str) -> bool:
        """Whether a map is worse than both in every test: pixels in its reverse order would be better."""
        return all(
            interval.known and interval.high < 0
            for reference in (RANDOM, shifted_name(layer))
            for interval in (self.gain(layer, reference, test) for test in self.tests)
        )

    @property
    def passes(self) -> bool | None:
        """False if a map is worse than random orders in every test, True if all maps are faithful, else None."""
        if any(map(self.unfaithful, self.layers)):
            return False
        return True if all(map(self.faithful, self.layers)) else None

    def _index(self, order: str) -> int:
        return position_of("order", order, self.orders)

    def to_frame(self) -> pd.DataFrame:
        """A table with a row for every test and map: areas and gains with the ends of their intervals."""
        import pandas as pd

        rows = []
        for test in self.tests:
            for layer in self.layers:
                row: dict[str, Any] = {"test": test, "map": layer, "n_sources": len(self.sources)}
                for quantity in (PROBABILITY, SCORE):
                    found = {"area": self.area(layer, test, quantity)}
                    for name, reference in self._references(layer).items():
                        found[f"gain_over_{name}"] = self.gain(layer, reference, test, quantity)
                    for name, interval in found.items():
                        row |= interval_columns(interval, f"{quantity}_{name}")
                row["faithful"] = self.faithful(layer)
                rows.append(row)
        return pd.DataFrame(rows)

    @staticmethod
    def _references(layer: str) -> dict[str, str]:
        return {"random": RANDOM, "shifted": shifted_name(layer), "brightness": BRIGHTNESS}

    def to_record(self) -> dict[str, Any]:
        """Plain values for JSON; None where there is no interval."""
        maps = {}
        for layer in self.layers:
            tests = {}
            for test in self.tests:
                tests[test] = {
                    quantity: {
                        "area": self.area(layer, test, quantity).to_record(),
                        **{
                            f"gain_over_{name}": self.gain(layer, other, test, quantity).to_record()
                            for name, other in self._references(layer).items()
                        },
                    }
                    for quantity in (PROBABILITY, SCORE)
                }
            maps[layer] = {
                "faithful": self.faithful(layer),
                "better_than_brightness": self.exceeds(layer, BRIGHTNESS),
                "tests": tests,
            }
        return {
            "model": self.model_name,
            "n_sources": len(self.sources),
            "target": self.target if isinstance(self.target, str) else list(self.target),
            "n_draws": self.n_draws,
            "fractions": self.fractions.tolist(),
            "maps": maps,
        }

    def summary(self) -> str:
        """What the tests say about every map, in sentences."""
        tests = listed([TITLES[test] for test in self.tests])
        head = (
            f"{tests[0].upper()}{tests[1:]} on "
            f"{counted(len(self.sources), 'source')}, probability of the {self._followed()}, areas over the "
            "logarithm of the fraction of pixels."
        )
        return "\n".join([self._answer(), head, *(self._sentence(layer) for layer in self.layers)])

    def _answer(self) -> str:
        faithful = [layer for layer in self.layers if self.faithful(layer)]
        unfaithful = [layer for layer in self.layers if self.unfaithful(layer)]
        better = [layer for layer in self.layers if self.exceeds(layer, BRIGHTNESS)]
        answers = {
            "yes for {}": faithful,
            "not shown for {}": [
                layer for layer in self.layers if layer not in {*faithful, *unfaithful}
            ],
            "no for {}": unfaithful,
        }
        beside = f"Better than the order of brightness: {listed(better) or 'none'}."
        return f"{answered(answers, len(self.layers))} {beside}"

    def _followed(self) -> str:
        if isinstance(self.target, str):
            return self.target if self.target == "predicted class" else f"class {self.target}"
        return f"class {self.target[0]} against {listed(self.target[1:])}"

    def _sentence(self, layer: str) -> str:
        gains = listed(
            [
                f"{with_interval(self.gain(layer, shifted_name(layer), test), signed=True)} in {TITLES[test]}"
                for test in self.tests
            ]
        )
        answer = self.faithful(layer)
        if answer is None:
            verdict = "cannot be called faithful or not: there are no intervals"
        elif answer:
            verdict = (
                "is faithful: the answer rests on the pixels that it ranks highest more than on pixels in random "
                "order"
            )
        elif self.unfaithful(layer):
            verdict = "ranks the pixels on which the answer rests below others"
        else:
            verdict = "is not shown to be faithful"
        better = self.exceeds(layer, BRIGHTNESS)
        beside = (
            "" if better is None else f"; it is {'' if better else 'not '}better than brightness"
        )
        return f"The map {layer} {verdict} (gains over the map at random shifts: {gains}){beside}."
