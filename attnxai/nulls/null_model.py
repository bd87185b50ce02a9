"""What a null is, and the decorator that registers one."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Protocol, TypeVar

import numpy as np

from attnxai.data.registration import check_unclaimed
from attnxai.errors import OptionError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.metrics import Metric
    from attnxai.metrics.targets import Others, Targets
    from attnxai.nulls.draws import NullDraws


class NullModel(Protocol):
    """A way to break the pairing of maps and annotations.

    A null makes tables of values of any metric and draws from them; it never sees a p-value.
    """

    @property
    def name(self) -> str:
        """Name in files and on the command line; an attribute of the class."""
        ...

    @property
    def label(self) -> str:
        """Name in text and figures."""
        ...

    @property
    def question(self) -> str:
        """What a test against this null asks: a sentence with a question mark."""
        ...

    @property
    def assumes(self) -> str:
        """What has to hold for its level, and when it rejects too often, in sentences."""
        ...

    @property
    def permutes_sources(self) -> bool:
        """Whether the columns of its tables are the annotations of sources."""
        ...

    @property
    def within_emission(self) -> bool:
        """Whether it works on the pixels of the source's own emission instead of all valid ones."""
        ...

    def tables(
        self,
        metrics: Sequence[Metric],
        maps: NDArray[np.float64],
        targets: Targets,
        valid: NDArray[np.bool_],
        *,
        others: Others | None = None,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Metrics of every source under every rearrangement.

        Parameters
        ----------
        metrics : sequence of Metric
            What to compute, all of the same rearrangements.
        maps : ndarray, shape (n_sources, rows, columns)
            One explanation.
        targets : mapping of TargetKind to ndarray, shape (n_annotators, n_sources, rows, columns)
            Annotations as densities and masks; only those that the metrics need.
        valid : ndarray of bool, shape (n_sources, rows, columns)
            Pixels that count.
        others : mapping of TargetKind to ndarray, same shape as targets, optional
            What is marked on the other sources, for metrics that need it; by default
            :func:`~attnxai.metrics.leave_one_out_centre_bias`. It goes with the annotation.
        rng : numpy.random.Generator
            Source of randomness; every source has a stream of its own.

        Returns
        -------
        ndarray, shape (n_metrics, n_annotators, n_sources, n_columns)
            NaN where undefined.
        """
        ...

    def draw(
        self,
        strata: Sequence[Hashable],
        *,
        n_columns: int | None = None,
        n_draws: int,
        rng: np.random.Generator,
    ) -> NullDraws:
        """Draw columns of a table, of the sources whose strata are given."""
        ...


Null = TypeVar("Null", bound=NullModel)

NULLS: dict[str, type[NullModel]] = {}
"""All nulls by name, as classes, also those that :func:`register_null` added from elsewhere."""


def register_null(null: type[Null]) -> type[Null]:
    """Register a null, so that comparisons and the command line know it by its name.

    Parameters
    ----------
    null : type
        A class with the attributes and methods of :class:`NullModel`, such as a subclass of
        :class:`SurrogateNull`. All its options need defaults.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    OptionError
        If an attribute is missing, or another module has registered a null of that name.

    Examples
    --------
    >>> from attnxai.nulls import SurrogateNull
    >>> @register_null
    ... class Mirrored(SurrogateNull):
    ...     '''Reflect maps about the vertical axis.'''
    ...     name = "mirrored"
    ...     label = "reflection"
    ...     question = "Does the map tell left from right as people do?"
    ...     assumes = "Left and right can be exchanged."
    ...     def surrogates(self, map, where, rng):
    ...         used = where & where[:, ::-1]
    ...         return used, np.stack([map[used], map[:, ::-1][used]])
    >>> NULLS.pop("mirrored").label
    'reflection'
    """
    needed = ("name", "label", "question", "assumes", "permutes_sources", "within_emission")
    missing = [name for name in (*needed, "tables", "draw") if not hasattr(null, name)]
    if missing:
        raise OptionError(f"null {null.__name__} lacks {', '.join(missing)}")
    name = str(null.name)
    check_unclaimed("null", name, null.__module__, NULLS)
    NULLS[name] = null
    return null
