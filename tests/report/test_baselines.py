"""The line on the baselines says what they are, and of every map whether it agrees better, less, or neither."""

from __future__ import annotations

import dataclasses
import itertools

import pytest

from attnxai.report.baselines import baselines_line
from tests.report.verdicts import planted, verdict_of

ENDS = {"map better": (0.2, 1.2), "baseline better": (-1.2, -0.2), "open": (-0.4, 0.6)}


def with_orders(result, **orders):
    """The result with the differences from the centre bias that are given for each map; "" takes the interval away."""

    def change(estimate):
        order = orders.get(estimate.explanation)
        if order is None or estimate.is_baseline:
            return estimate
        low, high = ENDS.get(order, (float("nan"),) * 2)
        found = dataclasses.replace(
            estimate.differences["centre bias"], value=(low + high) / 2, low=low, high=high
        )
        differences = dict(estimate.differences) | {"centre bias": found}
        return dataclasses.replace(estimate, differences=differences)

    return dataclasses.replace(result, estimates=tuple(map(change, result.estimates)))


@pytest.mark.parametrize(
    ("orders", "words"),
    [
        (("open",) * 3, "the centre bias cannot be distinguished from any of the 3 maps."),
        (
            ("map better", "open", "baseline better"),
            "the centre bias agrees better than the mean, agrees less than gate 1, and cannot be distinguished from gate 2.",
        ),
        (
            ("open", "open", "map better"),
            "the centre bias agrees less than the mean, and cannot be distinguished from gates 1 and 2.",
        ),
        (("",) * 3, "the centre bias cannot be compared with any of the 3 maps."),
    ],
)
def test_each_map_is_named_once(orders, words):
    _, result = planted()
    changed = with_orders(result, **dict(zip(result.explanations, orders, strict=True)))
    line = baselines_line([changed]).replace("the mean of the gates", "the mean")
    assert line.endswith(f". Brightness agrees better than all 3 maps; {words}")


def test_maps_of_several_models_are_counted():
    _, result = planted()
    maps = result.explanations
    models = [
        with_orders(result, **dict.fromkeys(maps, "map better")),
        with_orders(result, **dict.fromkeys(maps, "open")),
    ]
    assert baselines_line(models).endswith(
        "the centre bias agrees less than 3 of 6 maps, and cannot be distinguished from the other 3."
    )


def test_alike_baselines_share_a_clause_and_each_is_explained():
    verdict, result = verdict_of(n_sources=16, clip=0.1)
    assert baselines_line([result]) == verdict.baselines
    assert verdict.baselines.startswith(
        "Baselines: brightness (the image itself), emission (1 where the image is above its noise, 0 elsewhere) and the "
        "centre bias (the mean annotation of the other sources). Brightness and emission agree better than all 3 maps; "
    )


def test_whatever_is_found_is_a_sentence():
    _, result = planted()
    for orders in itertools.product([*ENDS, ""], repeat=3):
        line = baselines_line(
            [with_orders(result, **dict(zip(result.explanations, orders, strict=True)))]
        )
        assert line.endswith(".")
        assert "  " not in line
        assert ".." not in line
        for name in ("gate 1", "gate 2", "mean of the gates"):
            assert line.count(name) <= 1
