"""What a pilot comparison says about a larger one.

A report keeps the effect and the variance components of every map and metric, from all pairs of maps and
annotations (:func:`~attnxai.agreement.effect_components.components_of_tables`), where every annotator marked
every source and strata have three sources or more. Elsewhere they are inferred from each source's value for each
annotator and from the null:

- the effect is the observed mean less the null's, corrected for the share of permutations in which a source
  keeps its own annotation;
- the spread of permuted pairs follows from the null's standard deviation, less what the effect adds to it;
- the spread of sources is taken to be that of their values within their class, or that of permuted pairs where
  this is larger. It contains what makes a source score high with any annotation, which the test does not see,
  so a plan asks for too many sources rather than for too few.
"""

from __future__ import annotations

import contextlib
import dataclasses
import math
import warnings
from collections.abc import Hashable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from attnxai.agreement.effect_components import STRATA, Components, centred, parts_of
from attnxai.agreement.results import ALL
from attnxai.data.csv_table import spreadsheet_cell
from attnxai.errors import AssumptionWarning, OptionError
from attnxai.explanations.stack import MEAN_LAYER
from attnxai.jobs.files import read_json
from attnxai.statistics.bootstrap import mean_over_annotators
from attnxai.statistics.exact import t_interval
from attnxai.statistics.interval import Interval

if TYPE_CHECKING:
    from numpy.typing import NDArray

MIN_PILOT_SOURCES = 6
"""Fewer sources than this say too little about spreads to plan with."""

_FORMAT = "attnxai-report"
_MOST_CELLS = 1_000_000


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Pilot:
    """One map of a pilot comparison, as far as a plan needs it.

    Parameters
    ----------
    model_name, map_name, metric : str
        What was measured.
    group : str
        The group of sources: held-out, ...
    n_sources : int
        Sources with a value.
    n_annotators : int
        Annotators with a value.
    class_sizes : tuple of int
        Sources of each class.
    n_maps : int
        Maps of the model.
    effect : Interval
        Mean with own less mean with permuted annotations, with a Student t interval over sources.
    components : Components
        What a plan is made of.
    inferred : bool
        Whether part of it was inferred from the null, because the report does not hold it.

    Examples
    --------
    >>> import attnxai
    >>> pilot = attnxai.planning.Pilot(
    ...     model_name="d8.pt",
    ...     map_name="gate3",
    ...     metric="nss",
    ...     group="held-out",
    ...     n_sources=20,
    ...     n_annotators=1,
    ...     class_sizes=(10, 10),
    ...     n_maps=4,
    ...     effect=attnxai.statistics.Interval(value=0.5, low=0.1, high=0.9, n_units=20),
    ...     components=attnxai.agreement.Components(effect=0.5, sd_source=1.0),
    ...     inferred=False,
    ... )
    >>> plan = attnxai.planning.plan_power(pilot.components, n_sources=(20, 30), n_annotators=(1,))
    >>> plan.smallest(1).n_sources
    30
    """

    model_name: str
    map_name: str
    metric: str
    group: str
    n_sources: int
    n_annotators: int
    class_sizes: tuple[int, ...]
    n_maps: int
    effect: Interval
    components: Components
    inferred: bool

    def to_record(self) -> dict[str, Any]:
        """Plain values under their documented names; the components are in the record of the plan."""
        names = ["model_name", "map_name", "metric", "group"]
        names += ["n_sources", "n_annotators", "class_sizes", "n_maps"]
        return {
            **{name: getattr(self, name) for name in names},
            "effect": self.effect.value,
            "effect_low": self.effect.low,
            "effect_high": self.effect.high,
            "inferred": self.inferred,
        }


def read_pilot(
    folder: str | Path,
    *,
    model: str | None = None,
    metric: str | None = None,
    map_name: str | None = None,
) -> Pilot:
    """Read what a plan needs from a folder that ``attnxai compare`` wrote.

    Parameters
    ----------
    folder : path
        The report.
    model : str, optional
        Which model; the report's first when left out.
    metric : str, optional
        Which metric; the report's first when left out.
    map_name : str, optional
        Which map; the mean of the gates when left out, else the first.

    Returns
    -------
    Pilot

    Raises
    ------
    OptionError
        If the folder is not a report, lacks what was asked for, or holds too few sources.

    Warns
    -----
    AssumptionWarning
        When the report weighed its sources, which a plan does not.

    Examples
    --------
    >>> import attnxai
    >>> pilot = attnxai.planning.read_pilot("attnxai-report", metric="nss")  # doctest: +SKIP
    >>> attnxai.planning.plan_power(pilot.components, n_maps=pilot.n_maps).summary()  # doctest: +SKIP
    """
    folder = Path(folder)
    summary = _read_summary(folder)
    with _damage_named(folder):
        chosen = _chosen_model(summary, model, folder)
        model_name = str(chosen["name"])
        records = [r for r in chosen["results"] if not r["is_baseline"]]
        metrics = list(summary["settings"]["metrics"])
        group = str(chosen["verdict"]["group"])
        maps = list(dict.fromkeys(str(r["explanation"]) for r in records))
        metric = _chosen("metric", metric, metrics, metrics[0], folder)
        preferred = MEAN_LAYER if MEAN_LAYER in maps else maps[0]
        map_name = _chosen("map", map_name, maps, preferred, folder)
        (record,) = [
            r
            for r in records
            if (r["explanation"], r["metric"], r["group"], r["class"])
            == (map_name, metric, group, ALL)
        ]
        if summary["settings"].get("weighted"):
            warnings.warn(
                f"the pilot {folder} weighed its sources; the plan counts all alike",
                AssumptionWarning,
                stacklevel=2,
            )
        values, classes = _read_values(folder, model_name, f"{map_name}:{metric}", group)
        null = _null_of(record, values, classes, folder)
        stored = record["spreads"]
        if stored is None:
            components, effect = _infer(values, **null)
        else:
            components, effect = _of_record(stored, values.shape[1], len(set(classes)))
        deviations = np.asarray(components.deviations, np.float64).ravel()
        if not np.isfinite([effect.low, effect.high, *deviations]).all():
            raise ValueError("numbers that are not finite")
        return Pilot(
            model_name=model_name,
            map_name=map_name,
            metric=metric,
            group=group,
            n_sources=values.shape[1],
            n_annotators=len(values),
            class_sizes=tuple(classes.count(name) for name in dict.fromkeys(classes)),
            n_maps=max(int(record["n_family"]), len(maps)),
            effect=effect,
            components=components,
            inferred=stored is None,
        )


@contextlib.contextmanager
def _damage_named(folder: Path) -> Iterator[None]:
    """Let whatever a damaged report leads to name the report."""
    try:
        with np.errstate(all="ignore"):
            yield
    except OptionError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
        raise OptionError(
            f"the pilot {folder} is damaged or of another version of attnxai ({repr(error)[:200]}); write "
            "it again with attnxai compare"
        ) from error


def pilot_effects(
    folder: str | Path, *, model: str | None = None
) -> dict[tuple[str, str], Interval]:
    """Effects of all pairs of map and metric of a pilot that can be planned from.

    Parameters
    ----------
    folder : path
        The report.
    model : str, optional
        Which model; the report's first when left out.

    Returns
    -------
    dict of (str, str) to Interval
        Map and metric, and the effect in the metric's units; pairs that were not tested are left out.

    Raises
    ------
    OptionError
        If the folder is not a report.

    Examples
    --------
    >>> import attnxai
    >>> effects = attnxai.planning.pilot_effects("attnxai-report")  # doctest: +SKIP
    >>> effects["gate3", "nss"].value  # doctest: +SKIP
    """
    found = {}
    folder = Path(folder)
    with _damage_named(folder):
        records = _chosen_model(_read_summary(folder), model, folder)["results"]
        maps = [record for record in records if not record["is_baseline"]]
        pairs = [(str(record["explanation"]), str(record["metric"])) for record in maps]
    for pair in dict.fromkeys(pairs):
        with warnings.catch_warnings(), contextlib.suppress(OptionError):
            # weights were warned about when the pilot itself was read
            warnings.simplefilter("ignore", AssumptionWarning)
            pilot = read_pilot(folder, model=model, map_name=pair[0], metric=pair[1])
            found[pair] = pilot.effect
    return found


def _of_record(
    stored: Mapping[str, Any], n_sources: int, n_strata: int
) -> tuple[Components, Interval]:
    """What a report keeps of all pairs."""
    names = ("sd_source", "sd_residual", "sd_annotator", "sd_pairing", "sd_value")
    components = Components(
        effect=float(stored["effect"]),
        deviations=np.array(stored["deviations"], dtype=np.float64),
        **{name: float(stored[name]) for name in names},
    )
    effect = Interval(
        value=components.effect,
        low=float(stored["effect_ci_low"]),
        high=float(stored["effect_ci_high"]),
        n_units=n_sources,
        method=f"Student's t over {STRATA}",
        degrees_of_freedom=n_sources - n_strata,
    )
    return components, effect


def _infer(
    values: NDArray[np.float64],
    *,
    null_mean: float,
    null_deviation: float,
    permutes_within: Sequence[Hashable],
) -> tuple[Components, Interval]:
    n = values.shape[1]
    n_strata = len(set(permutes_within))
    means = mean_over_annotators(values)
    deviations = centred(values, permutes_within)
    parts = parts_of(deviations, n_lost=n_strata)
    value_parts = parts_of(values, n_lost=1)
    # a permutation leaves one source of each class with its own annotation, on average
    effect = (float(means.mean()) - null_mean) / (1 - n_strata / n)
    variance = (n * null_deviation) ** 2
    permuted = (variance - n_strata * effect**2) / (n - n_strata)
    if permuted <= 0:
        permuted = variance / n
    n_annotators = 1 / float((1 / np.isfinite(values).sum(axis=0)).mean())
    shared = min(parts.residual / n_annotators, permuted / 2)
    pairing = permuted - shared
    components = Components(
        effect=effect,
        sd_source=math.sqrt(max(parts.source, pairing)),
        sd_residual=math.sqrt(shared * n_annotators),
        sd_annotator=math.sqrt(value_parts.annotator),
        sd_pairing=math.sqrt(pairing),
        sd_value=math.sqrt(value_parts.source),
        deviations=mean_over_annotators(deviations),
    )
    spread = math.sqrt(components.sd_source**2 + components.sd_residual**2 / n_annotators)
    return components, t_interval(effect, spread / math.sqrt(n), n - n_strata, n, over=STRATA)


def _read_summary(folder: Path) -> dict[str, Any]:
    path = folder / "summary.json"
    if not path.is_file():
        raise OptionError(
            f"the pilot {folder} holds no summary.json; name a folder that attnxai compare wrote"
        )
    try:
        content = read_json(path)
    except ValueError as error:
        raise OptionError(f"{path} is not valid JSON ({error}); name another folder") from error
    if not isinstance(content, dict) or content.get("format") != _FORMAT:
        raise OptionError(f"{path} is not a summary of attnxai compare; name another folder")
    return content


def _chosen_model(summary: dict[str, Any], asked: str | None, folder: Path) -> dict[str, Any]:
    models: list[dict[str, Any]] = summary["models"]
    names = [str(model["name"]) for model in models]
    return models[names.index(_chosen("model", asked, names, names[0], folder))]


def _chosen(what: str, asked: str | None, known: Sequence[str], default: str, folder: Path) -> str:
    if asked is None:
        return default
    for name in known:
        if name.lower() == asked.lower():
            return name
    raise OptionError(
        f"the pilot {folder} has no {what} {asked!r}; it has {', '.join(map(str, known))}"
    )


def _read_values(
    folder: Path, model: str, column: str, group: str
) -> tuple[NDArray[np.float64], list[str | None]]:
    """Values (annotators, sources) of the sources with any, and what they share with others."""
    import pandas as pd

    path = folder / "per_source.csv"
    if not path.is_file():
        raise OptionError(f"the pilot {folder} holds no per_source.csv; write the report again")
    names = ("model", "source", "stratum", "annotator")
    table = pd.read_csv(path, dtype=dict.fromkeys(names, str), low_memory=False)
    table = table[table["model"] == spreadsheet_cell(model)]
    if group != ALL:
        table = table[table["split"] == group]
    if table["annotator"].nunique() * table["source"].nunique() > _MOST_CELLS + 100 * len(table):
        raise ValueError(f"annotators who share no sources in {path.name}")
    wide = table.pivot(index="annotator", columns="source", values=spreadsheet_cell(column)).dropna(
        axis=1, how="all"
    )
    known = table.drop_duplicates("source").set_index("source")["stratum"]
    classes = [None if pd.isna(known[name]) else str(known[name]) for name in wide.columns]
    if len(classes) < MIN_PILOT_SOURCES:
        raise OptionError(
            f"the pilot {folder} has {len(classes)} {group} sources with a value of {column}; "
            f"planning needs {MIN_PILOT_SOURCES} or more"
        )
    return wide.dropna(axis=0, how="all").to_numpy(dtype=np.float64), classes


def _null_of(
    record: Mapping[str, Any],
    values: NDArray[np.float64],
    classes: Sequence[str | None],
    folder: Path,
) -> dict[str, Any]:
    within = record["p_within_strata"] is not None
    name = "within_strata" if within else "pooled"
    if record[f"p_{name}"] is None or record["not_tested"]:
        raise OptionError(
            f"the pilot {folder} did not test {record['explanation']} ({record['not_tested']}), so "
            "there is nothing to plan from"
        )
    deviation = record[f"null_sd_{name}"]
    if not deviation > 0:
        raise OptionError(
            f"permuting annotations changes nothing for {record['explanation']} in the pilot "
            f"{folder}, so there is nothing to plan from"
        )
    return {
        "null_mean": float(record[f"null_mean_{name}"]),
        "null_deviation": float(deviation),
        "permutes_within": list(classes) if within else [None] * values.shape[1],
    }
