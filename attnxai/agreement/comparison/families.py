"""P-values adjusted over all maps that are tested, of one model or of several."""

from __future__ import annotations

import dataclasses
import warnings
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from attnxai.agreement.multiplicity import (
    Correction,
    adjust,
    correction_without_draws,
    max_t,
)
from attnxai.errors import AssumptionWarning
from attnxai.nulls import Alternative
from attnxai.statistics.exact import monte_carlo_ends

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate, LabelAgreement
    from attnxai.agreement.results import AgreementResult
    from attnxai.nulls import NullTest


def adjust_over_maps(
    results: Sequence[AgreementResult], correction: Correction | str
) -> list[AgreementResult]:
    """Adjust the p-values of the primary tests over the maps of all results together.

    A family is what one metric, one split and one class are tested for: all maps of all models. The splits that
    conclusions rest on count as one: held-out sources of one model, and sources whose split is unknown for another.
    Baselines stay out of it, and so do tests that could not be made. Tests within emission are families of their own. Tests of
    labels are one family: all labels times all maps of all models.

    Parameters
    ----------
    results : sequence of AgreementResult
        Of models that are looked at together, made with the same seed.
    correction : Correction
        Max-T needs all maps to be tested under the same draws, so over the same sources; where they are not,
        Holm's method is used and an :class:`~attnxai.errors.AssumptionWarning` says so.

    Returns
    -------
    list of AgreementResult
        The same with ``p_adjusted``, ``p_within_size_adjusted``, ``n_family`` and ``correction`` of every map set anew.
    """
    correction = Correction(correction)
    families: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
    for r, result in enumerate(results):
        for i, estimate in enumerate(result.estimates):
            if not estimate.is_baseline:
                # no group has the empty name
                group = "" if estimate.group == result.verdict_group else estimate.group
                key = (estimate.metric, group, estimate.class_name)
                families.setdefault(key, []).append((r, i))
    changed: dict[tuple[int, int], Estimate] = {}
    replaced = False
    for members in families.values():
        estimates = [results[r].estimates[i] for r, i in members]
        used = correction
        if correction is Correction.MAX_T and not _drawn_together(results, members):
            used, replaced = Correction.HOLM, True
        changed |= zip(members, _adjusted(estimates, used), strict=True)
    if replaced:
        warnings.warn(
            "max-T adjusts tests that are drawn together, over the same sources; some maps are tested "
            "over other sources than others, so Holm's method is used for them",
            AssumptionWarning,
            stacklevel=2,
        )
    within = [result.within_emission for result in results]
    adjusted_within = (
        adjust_over_maps([own for own in within if own], correction) if any(within) else []
    )
    of_results = iter(adjusted_within)
    labels = _labels_adjusted(results, correction)
    return [
        dataclasses.replace(
            result,
            within_emission=next(of_results) if result.within_emission else None,
            labels=labels[r],
            estimates=tuple(
                changed.get((r, i), estimate) for i, estimate in enumerate(result.estimates)
            ),
        )
        for r, result in enumerate(results)
    ]


def _adjusted(estimates: Sequence[Estimate], used: Correction) -> list[Estimate]:
    """The estimates of one family with their adjusted p-values."""
    tests = [estimate.test for estimate in estimates]
    p_values = np.array([test.p_value if test else np.nan for test in tests])
    if used is Correction.MAX_T:
        adjusted = _by_max_t([test for test in tests if test], p_values)
        ends = _ends_of_max_t(adjusted, tests)
    else:
        adjusted = adjust(p_values, used)
        # these corrections rise with each p-value, so the ends of intervals are adjusted alike
        ends = adjust(np.array([_monte_carlo_ends(test) for test in tests]).T, used)
    drawn = any(test is not None and not test.exhaustive for test in tests)
    by_size = np.array([e.p_within_size for e in estimates], dtype=np.float64)
    by_size = adjust(by_size, correction_without_draws(used))
    return [
        dataclasses.replace(
            estimate,
            p_adjusted=float(value) if np.isfinite(value) else None,
            p_adjusted_monte_carlo=(float(low), float(high))
            if drawn and np.isfinite(value)
            else None,
            n_family=int(np.isfinite(p_values).sum()),
            correction=used,
            p_within_size_adjusted=float(of_size) if np.isfinite(of_size) else None,
        )
        for estimate, value, low, high, of_size in zip(
            estimates, adjusted, *ends, by_size, strict=True
        )
    ]


def _labels_adjusted(
    results: Sequence[AgreementResult], correction: Correction
) -> list[tuple[LabelAgreement, ...]]:
    """The labels of every result; for each metric all labels times all maps are one family, over sources of their own."""
    used = correction_without_draws(correction)
    families: dict[str, dict[tuple[int, str, str], Estimate]] = {}
    for r, result in enumerate(results):
        for of_label in result.labels:
            for e in of_label.estimates:
                if not e.is_baseline:
                    families.setdefault(e.metric, {})[r, of_label.label, e.explanation] = e
    changed: dict[tuple[int, str, str, str], Estimate] = {}
    for metric, family in families.items():
        for place, estimate in zip(family, _adjusted(list(family.values()), used), strict=True):
            changed[*place, metric] = estimate
    return [
        tuple(
            dataclasses.replace(
                of_label,
                estimates=tuple(
                    changed.get((r, of_label.label, e.explanation, e.metric), e)
                    for e in of_label.estimates
                ),
            )
            for of_label in result.labels
        )
        for r, result in enumerate(results)
    ]


def _drawn_together(results: Sequence[AgreementResult], members: Sequence[tuple[int, int]]) -> bool:
    """Whether all tests of a family permute the same sources, and so share their draws."""
    permuted = set()
    for r, i in members:
        result, estimate = results[r], results[r].estimates[i]
        if estimate.test is None:
            continue
        in_strata = estimate.within_strata is not None
        tested = frozenset(
            (source, stratum if in_strata else None)
            for source, group, class_name, stratum in zip(
                result.sources, result.splits, result.classes, result.strata, strict=True
            )
            if estimate.group in ("all", group)
            and estimate.class_name in ("all", class_name)
            and source not in estimate.left_test
        )
        # every group has a stream of draws of its own
        permuted.add((tested, estimate.group, estimate.test.null, estimate.test.n_draws))
    return len(permuted) <= 1


def _monte_carlo_ends(test: NullTest | None) -> tuple[float, float]:
    if test is None:
        return np.nan, np.nan
    return test.monte_carlo_interval or (test.p_value, test.p_value)


def _ends_of_max_t(adjusted: np.ndarray, tests: Sequence[NullTest | None]) -> np.ndarray:
    """Intervals (2, n) of p-values by max-T: of a share of the draws, where it is not the unadjusted p-value."""
    ends = np.array([_monte_carlo_ends(test) for test in tests]).T
    for i, test in enumerate(tests):
        if test is not None and not test.exhaustive and adjusted[i] != test.p_value:
            ends[:, i] = np.fmax(ends[:, i], monte_carlo_ends(float(adjusted[i]), test.n_draws))
    return ends


def _by_max_t(tests: Sequence[NullTest], p_values: np.ndarray) -> np.ndarray:
    """Max-T over z-values, on which nulls of different width stand on one scale."""
    adjusted = np.full(p_values.shape, np.nan)
    if not tests:
        return adjusted
    observed, draws = [], []
    for test in tests:
        # a null whose values are all equal has no scale, and rounding must not become one
        spread = float(test.values.std()) if np.isfinite(test.z) else np.inf
        values = np.append(test.values, test.observed)
        z = (values - test.mean) / spread
        if test.alternative is Alternative.LESS:
            z = -z
        elif test.alternative is Alternative.TWO_SIDED:
            z = np.abs(z)
        draws.append(z[:-1])
        observed.append(z[-1])
    adjusted[np.isfinite(p_values)] = max_t(
        observed, np.stack(draws, axis=1), exhaustive=tests[0].exhaustive
    )
    # two-sided p-values double the smaller side, the largest |z| does not: never below the unadjusted one
    return np.asarray(np.fmax(adjusted, p_values))
