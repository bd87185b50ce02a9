"""What a null is, and the decorator that registers one."""

from __future__ import annotations

import abc
from collections.abc import Hashable, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from attnxai.data.registration import check_label, check_option_name
from attnxai.errors import OptionError
from attnxai.nulls.draws import NullDraws, draw_choices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.metrics import Metric
    from attnxai.metrics.targets import Targets


class NullModel(abc.ABC):
    """Base of nulls: ways to break the pairing of maps and annotations.

    A null makes tables of values of any metric and draws from them; it never sees a p-value.

    Examples
    --------
    >>> import attnxai
    >>> from attnxai.nulls import NULLS
    >>> sorted(name for name, null in NULLS.items() if issubclass(null, attnxai.nulls.NullModel))
    ['moran', 'permutation', 'phase', 'rotation', 'shift', 'symmetries', 'variogram']
    """

    __slots__ = ()
    permutes_sources = False
    """Whether the columns of its tables are the annotations of sources, as only those of the permutation are."""
    within_emission = False
    """Whether it works on the pixels of the source's own emission instead of all valid ones."""
    if TYPE_CHECKING:
        # a null states these as attributes of the class or as properties
        @property
        def name(self) -> str:
            """Name in files and on the command line; an attribute of the class."""

        @property
        def label(self) -> str:
            """Name in text and figures."""

        @property
        def question(self) -> str:
            """What a test against this null asks: a sentence with a question mark."""

        @property
        def assumes(self) -> str:
            """What has to hold for its level, and when it rejects too often, in sentences."""

    @abc.abstractmethod
    def tables(
        self,
        metrics: Sequence[Metric],
        maps: NDArray[np.float64],
        targets: Targets,
        valid: NDArray[np.bool_],
        *,
        rng: np.random.Generator,
    ) -> NDArray[np.float64]:
        """Metrics of every source under the null, with what was observed among them.

        Parameters
        ----------
        metrics : sequence of Metric
            What to compute, all of the same surrogate maps or permutations.
        maps : ndarray, shape (n_sources, rows, columns)
            One explanation.
        targets : mapping of TargetKind to ndarray, shape (n_annotators, n_sources, rows, columns)
            Annotations as densities and masks; only those that the metrics need. Metrics that need ``others`` get
            them from :func:`~attnxai.metrics.leave_one_out_centre_bias`, :func:`~attnxai.metrics.own_tables` or
            :func:`~attnxai.metrics.agreement_tables`.
        valid : ndarray of bool, shape (n_sources, rows, columns)
            Pixels that count.
        rng : numpy.random.Generator
            Source of randomness; every source has a stream of its own.

        Returns
        -------
        ndarray, shape (n_metrics, n_annotators, n_sources, n_columns)
            NaN where undefined. What was observed is column 0, without which p-values are wrong, or the diagonal if
            sources are permuted.
        """

    def draw(
        self,
        strata: Sequence[Hashable],
        *,
        n_columns: int | None = None,
        n_draws: int,
        rng: np.random.Generator,
    ) -> NullDraws:
        """Draw columns of a table: any for each source, unless a null overrides it.

        Parameters
        ----------
        strata : sequence of hashable
            Stratum of every source of the table.
        n_columns : int
            Number of columns of the table; those of a permutation are the sources.
        n_draws, rng
            As in :func:`draw_choices`.

        Returns
        -------
        NullDraws

        Raises
        ------
        OptionError
            If the number of columns is not given, or that of draws below 1.
        """
        if n_columns is None:
            raise OptionError("n_columns is needed: the number of columns of the table")
        return draw_choices(len(strata), n_columns, n_draws=n_draws, rng=rng)


Null = TypeVar("Null", bound=NullModel)

NULLS: dict[str, type[NullModel]] = {}
"""All nulls by name, as classes, also those that :func:`register_null` added from elsewhere."""


def register_null(null: type[Null]) -> type[Null]:
    """Register a null, so that comparisons and the command line know it by its name.

    Parameters
    ----------
    null : type
        A subclass of :class:`NullModel`, such as one of :class:`SurrogateNull`. All its options need defaults.

    Returns
    -------
    type
        The same class.

    Raises
    ------
    OptionError
        If it is not a subclass, an attribute or a method is missing, the name cannot be given on the command line or
        is taken by another module, the label is that of another null, or it permutes sources.

    Examples
    --------
    >>> from attnxai.nulls import SurrogateNull
    >>> @register_null
    ... class Mirrored(SurrogateNull):
    ...     '''Reflect maps about the vertical axis.'''
    ...     name = "mirrored"
    ...     label = "reflection"
    ...     question = "Does the map distinguish left and right as annotators do?"
    ...     assumes = "Left and right are alike."
    ...     def surrogates(self, map, where, rng):
    ...         used = where & where[:, ::-1]
    ...         return used, np.stack([map[used], map[:, ::-1][used]])
    >>> NULLS.pop("mirrored").label
    'reflection'
    """
    given: Any = null
    if not (isinstance(given, type) and issubclass(given, NullModel)):
        raise OptionError(f"a null is a subclass of attnxai.nulls.NullModel, got {null!r}")
    missing = [n for n in ("name", "label", "question", "assumes") if not hasattr(null, n)]
    missing += sorted(null.__abstractmethods__)
    if missing:
        raise OptionError(f"null {null.__name__} lacks {', '.join(missing)}")
    name: Any = null.name
    label: Any = null.label
    check_option_name("null", name, null.__module__, NULLS)
    if given.permutes_sources and name != "permutation":
        raise OptionError(
            f"null {name} permutes sources, which only the permutation does; to permute within other groups, give "
            "a column of the annotation table as strata (--strata)"
        )
    if not isinstance(label, property):  # which may depend on options
        check_label("null", name, NULLS, label)
    NULLS[name] = null
    return null
