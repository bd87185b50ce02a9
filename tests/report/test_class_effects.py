"""A verdict says what permutations within classes show and the one over all sources does not."""

from __future__ import annotations

import dataclasses

from attnxai.agreement.comparison import compare
from attnxai.report.findings import Finding
from attnxai.report.verdict import reach_verdict
from tests.builders import made_up
from tests.report.verdicts import QUICK, is_of, verdict_of, verdict_with


def test_classes_whose_effects_are_opposite_differ():
    """Over all sources neither is shown; the map and its badge say what the classes show."""
    maps, marks, images = made_up(n_sources=20)
    layers = {name: array.copy() for name, array in maps.layers.items()}
    layers["gate1"][::2] = 1.2 - 1.2 * layers["gate1"][::2]
    result = compare(dataclasses.replace(maps, layers=layers), marks, images, settings=QUICK)
    statement = reach_verdict([result], marks).statements[0]
    up = result.estimate("gate1", "nss", class_name="FR II")
    down = result.estimate("gate1", "nss", class_name="FR I").test
    p_down = (1 + int((down.values <= down.observed).sum())) / 1000
    assert up.p_adjusted <= 0.05
    assert 3 * p_down <= 0.05
    said = (
        f"The classes differ: it agrees more with its own source than with others for FR II (p = "
        f"{up.test.p_value:.4f}, {up.p_adjusted:.4f} adjusted for 3 maps), but less for FR I (p = {p_down:.4f} on "
        f"the lower side, {3 * p_down:.4f} adjusted for 3 maps)."
    )
    assert statement.lead.endswith(said)
    assert statement.badge == f"agreement {statement.finding}, classes differ"

    def change(estimate, **of_class):
        if is_of(estimate, "gate1"):
            return dataclasses.replace(estimate, p_adjusted=0.9)
        name = estimate.class_name.replace(" ", "_")
        if name in of_class and is_of(estimate, "gate1", estimate.class_name):
            return dataclasses.replace(estimate, p_adjusted=of_class[name])
        return estimate

    not_shown = verdict_with(result, change).statements[0]
    assert not_shown.finding is Finding.NOT_SHOWN
    assert not_shown.badge == "agreement not shown, classes differ"
    assert "is not shown" in not_shown.lead
    assert not_shown.lead.endswith(said)
    # a class that only lies on the other side is no difference between classes
    one = verdict_with(result, lambda e: change(e, FR_II=0.06)).statements[0]
    assert one.badge == "agreement not shown"
    assert "FR II" not in one.lead


def test_a_class_that_agrees_is_named_where_all_sources_together_do_not():
    _, result = verdict_of(n_sources=16, agreement=0.0, seed=3)

    def change(estimate):
        if not is_of(estimate, "gate1", "FR I"):
            return estimate
        test = estimate.test
        high = dataclasses.replace(test, observed=test.values.max() + 1, p_value=0.001)
        return dataclasses.replace(estimate, pooled=high, within_strata=None, p_adjusted=0.003)

    statement, other, _ = verdict_with(result, change).statements
    assert statement.badge == "agreement not shown"
    assert statement.lead == (
        "Agreement of gate 1 with its own source is not shown. Within FR I (p = 0.0010, 0.0030 adjusted for 3 "
        "maps) it agrees more with its own source than with others."
    )
    assert other.lead == "Agreement of gate 2 with its own source is not shown."
