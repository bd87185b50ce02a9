"""What several results have in common: sources of one split, annotators, maps, a metric and weights."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.results import ALL
from attnxai.data.wording import unknown_name
from attnxai.errors import OptionError
from attnxai.explanations.stack import Split

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from attnxai.agreement.results import AgreementResult

# what conclusions rest on, from the best evidence down
GROUPS = tuple(
    str(group) for group in (Split.HELD_OUT, Split.UNKNOWN, Split.VALIDATION, Split.TRAINING)
)


def model_names(results: Sequence[AgreementResult]) -> tuple[str, ...]:
    """Names of the models; an OptionError if there are fewer than two, or two are the same."""
    models = tuple(result.model_name for result in results)
    if len(models) < 2:
        raise OptionError(
            f"comparing results needs two or more models, got {', '.join(models) or 'none'}"
        )
    same = sorted({name for name in models if models.count(name) > 1})
    if same:
        raise OptionError(
            f"{models.count(same[0])} results are of a model called {same[0]}; give each model a "
            "name of its own"
        )
    return models


def common_metric(results: Sequence[AgreementResult], wanted: str | None) -> str:
    """The metric that is wanted, or the first that all results have; an OptionError says what each has."""
    common = [
        name for name in results[0].metrics if all(name in result.metrics for result in results)
    ]
    if wanted is None and common:
        return common[0]
    if wanted is not None and wanted in common:
        return wanted
    having = "; ".join(f"{result.model_name} has {', '.join(result.metrics)}" for result in results)
    what = "no metric in common" if wanted is None else f"not all the metric {wanted}"
    raise OptionError(f"the results have {what}: {having}")


def common_sources(
    results: Sequence[AgreementResult], group: str | None, notes: list[str]
) -> tuple[tuple[str, ...], str]:
    """Sources that all results have and that are in one split for all models, sorted, and that split.

    Without a wanted split it is the best evidence that there is, see :data:`GROUPS`. Notes get what was assumed and left
    out; where there are no such sources an OptionError counts what there is.
    """
    splits_by_result = [dict(zip(result.sources, result.splits, strict=True)) for result in results]
    common = [
        source for source in results[0].sources if all(source in of for of in splits_by_result)
    ]
    if not common:
        raise OptionError(
            "the results have no source in common: "
            + "; ".join(
                f"{result.model_name} has {len(result.sources)}, the first {result.sources[0]}"
                for result in results
            )
        )
    members = {
        name: [source for source in common if all(of[source] == name for of in splits_by_result)]
        for name in GROUPS
    } | {ALL: common}
    if group is not None and group not in members:
        raise OptionError(unknown_name("group of sources", group, members, "groups of sources"))
    found = next((name for name in GROUPS if members[name]), None) if group is None else group
    if found is None or not members[found]:
        raise OptionError(
            f"none of the {len(common)} sources that all models have is "
            f"{'in one group' if group is None else group} for all of them: "
            + "; ".join(
                f"{result.model_name} has {_counted([of[source] for source in common])}"
                for result, of in zip(results, splits_by_result, strict=True)
            )
            + f"; the group {ALL} would compare over all of them, whatever the models were trained on"
        )
    chosen = tuple(sorted(members[found]))
    if group is None and found != GROUPS[0]:
        notes.append(
            f"No source is {GROUPS[0]} for every model, so the models are compared over the group {found}, in which "
            f"all of them have the same {len(chosen)}."
        )
    mixed = {of[source] for of in splits_by_result for source in chosen}
    if len(mixed) > 1:
        notes.append(
            f"Sources of different groups are combined ({', '.join(sorted(mixed))}): a model's own training images are no evidence about its attention to other galaxies."
        )
    if any(len(chosen) < len(result.sources) for result in results):
        of_each = ", ".join(f"{len(result.sources)} of {result.model_name}" for result in results)
        notes.append(
            f"All models have {len(chosen)} sources ({found}) in common, out of {of_each}."
        )
    return chosen, found


def _counted(splits: Sequence[str]) -> str:
    return ", ".join(f"{splits.count(name)} {name}" for name in dict.fromkeys(splits))


def names_in_common(
    results: Sequence[AgreementResult],
    of: Callable[[AgreementResult], Sequence[str]],
    what: str,
    notes: list[str],
    *,
    hint: str,
) -> tuple[str, ...]:
    """Names that all results have, in the order of the first; a note names the others, an OptionError what each has."""
    common = tuple(name for name in of(results[0]) if all(name in of(result) for result in results))
    if not common:
        having = "; ".join(
            f"{result.model_name} has {', '.join(of(result)) or 'none'}" for result in results
        )
        raise OptionError(f"the results have no {what} in common: {having}; {hint}")
    left_out = dict.fromkeys(
        name for result in results for name in of(result) if name not in common
    )
    if left_out:
        notes.append(f"Not all models have the {what} {', '.join(left_out)}: left out.")
    return common


def note_settings(results: Sequence[AgreementResult], notes: list[str]) -> None:
    """Note where annotations were made into targets in different ways."""
    widths = [result.settings.get("fwhm_arcsec") for result in results]
    if len(set(widths)) > 1:
        of_each = ", ".join(
            f"{width} arcsec for {result.model_name}"
            for width, result in zip(widths, results, strict=True)
        )
        notes.append(
            f"Annotations were smoothed differently ({of_each}), which may explain part of a difference."
        )


def common_weights(
    results: Sequence[AgreementResult],
    sources: Sequence[str],
    weights: Mapping[str, float] | None,
) -> NDArray[np.float64]:
    """Weight of every source: as given, or what the results say if they agree; else an OptionError."""
    if weights is not None:
        missing = [source for source in sources if source not in weights]
        if missing:
            raise OptionError(
                f"weights lack {len(missing)} of {len(sources)} sources, such as {missing[0]}"
            )
        return np.array([weights[source] for source in sources], dtype=np.float64)
    of_each = [
        dict(zip(result.sources, map(float, result.source_weights), strict=True))
        for result in results
    ]
    for source in sources:
        if len({of[source] for of in of_each}) > 1:
            found = ", ".join(
                f"{of[source]:g} for {result.model_name}"
                for of, result in zip(of_each, results, strict=True)
            )
            raise OptionError(
                f"the results weigh the source {source} differently ({found}); give weights that hold for "
                "all of them"
            )
    return np.array([of_each[0][source] for source in sources])
