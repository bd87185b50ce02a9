"""The line under the headline on the baselines: what they are, and how the maps compare with them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from attnxai.data.wording import listed
from attnxai.report.findings import (
    Order,
    baselines_of_kind,
    brightness_names,
    compared_with,
    deciding_baseline,
)
from attnxai.report.headline import MOST_NAMED, estimates_of
from attnxai.report.sentences.say import say
from attnxai.report.wording import capitalised, names_of_maps

if TYPE_CHECKING:
    from attnxai.agreement.estimates import Estimate
    from attnxai.agreement.results import AgreementResult

_ORDERS = (Order.WORSE, Order.BETTER, Order.OPEN, Order.UNKNOWN)


def baselines_line(results: Sequence[AgreementResult]) -> str:
    """Every kind of baseline in a few words, and the maps that agree better or less than it, or neither."""
    kinds = list(dict.fromkeys(kind for r in results for kind, names in _kinds(r) if names))
    alike: dict[tuple[tuple[Order, str], ...], list[str]] = {}
    for kind in kinds:
        alike.setdefault(_comparison(results, kind), []).append(say(f"baselines.name.{kind}"))
    clauses = [
        say(
            "baselines.clause",
            baselines=listed(names),
            found=_with_comma(
                [say(f"baselines.than.{order}", maps=maps, n=len(names)) for order, maps in orders]
            ),
        )
        for orders, names in alike.items()
    ]
    return say(
        "baselines.line",
        baselines=listed([say(f"baselines.meaning.{kind}") for kind in kinds]),
        found=capitalised("; ".join(clauses)),
    )


def named_baselines(rows: Sequence[tuple[AgreementResult, Estimate]]) -> str:
    """The brightness baseline that all maps are compared with, or each with the maps that it is for."""
    compared: dict[str, dict[str, list[str]]] = {}
    for result, estimate in rows:
        name = deciding_baseline(estimate, brightness_names(result))
        compared.setdefault(name, {}).setdefault(result.model_name, []).append(estimate.explanation)
    if len(compared) == 1:
        return next(iter(compared))
    several = len({result.model_name for result, _ in rows}) > 1
    of_maps = {
        name: listed(
            [names_of_maps(maps) + (f" of {m}" if several else "") for m, maps in of.items()]
        )
        for name, of in compared.items()
    }
    return "; ".join(
        say("baselines.for", baseline=name, maps=maps) for name, maps in of_maps.items()
    )


def _kinds(result: AgreementResult) -> list[tuple[str, list[str]]]:
    return list(baselines_of_kind(result).items())


def _comparison(results: Sequence[AgreementResult], kind: str) -> tuple[tuple[Order, str], ...]:
    """The maps of each order, in words; maps of several models are counted."""
    most_named = MOST_NAMED if len(results) == 1 else 0
    found: dict[Order, list[str]] = {}
    for result in results:
        if names := baselines_of_kind(result)[kind]:
            for estimate in estimates_of(result):
                order = compared_with(estimate, names)
                found.setdefault(order, []).append(estimate.explanation)
    n_all = sum(map(len, found.values()))
    orders = [order for order in _ORDERS if order in found]
    return tuple(
        (
            order,
            say("baselines.maps.other", n=len(found[order]))
            if order is not orders[0] and order is orders[-1] and len(found[order]) > most_named
            else _maps(found[order], n_all, order, most_named),
        )
        for order in orders
    )


def _maps(maps: Sequence[str], n_all: int, order: Order, most_named: int) -> str:
    """All maps, or the names of a few, or how many there are."""
    if len(maps) <= most_named and len(maps) < n_all:
        return names_of_maps(maps)
    if len(maps) < n_all:
        return say("baselines.maps", n=len(maps), n_all=n_all)
    end = "any" if order in (Order.OPEN, Order.UNKNOWN) else "all"
    number = {1: "one", 2: "two"}.get(n_all, "many")
    return say(f"baselines.maps.{end}.{number}", n=n_all)


def _with_comma(clauses: Sequence[str]) -> str:
    """Clauses with commas between them, also before the last, as the names in them hold an "and"."""
    *others, last = clauses
    return f"{', '.join(others)}, and {last}" if others else last
