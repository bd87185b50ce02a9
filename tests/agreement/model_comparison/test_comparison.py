"""Several models against the same annotations: what does not depend on the model is computed once."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from attnxai.agreement.comparison import ComparisonSettings, adjust_over_maps, compare, once
from attnxai.agreement.model_comparison.comparison import compare_models
from attnxai.agreement.noise_ceiling import annotators
from attnxai.alignment import pairs, rasterise
from attnxai.errors import AlignmentError, OptionError
from attnxai.explanations.stack import Split
from tests.builders import made_up

QUICK = ComparisonSettings(metrics=("nss", "auc"), n_permutations=99, n_bootstrap=100)


def models(*, other_valid=False, other_splits=False):
    """Two models over the same sources, of which the second sees fewer pixels or knew some sources."""
    maps, marks, images = made_up(n_sources=16, side=24)
    layers = {name: values[:, ::-1].copy() for name, values in maps.layers.items()}
    second = dataclasses.replace(maps, model_name="second", layers=layers)
    if other_valid:
        valid = maps.valid.copy()
        valid[:, :2] = False
        second = dataclasses.replace(second, valid=valid)
    if other_splits:
        splits = (Split.TRAINING,) * 3 + maps.splits[3:]
        second = dataclasses.replace(second, splits=splits)
    return [maps, second], marks, images


def counted(monkeypatch, module, name):
    calls = []
    original = getattr(module, name)

    def wrapped(*args, **options):
        calls.append(name)
        return original(*args, **options)

    monkeypatch.setattr(module, name, wrapped)
    return calls


@pytest.mark.parametrize(
    ("options", "n_ceilings", "n_reliabilities"),
    [({}, 1, 1), ({"other_valid": True}, 2, 1), ({"other_splits": True}, 1, 2)],
    ids=["same", "other pixels", "other split"],
)
@pytest.mark.filterwarnings("ignore::attnxai.errors.AttnxaiWarning")
def test_what_models_share_is_computed_once_and_gives_the_same_bytes(
    monkeypatch, options, n_ceilings, n_reliabilities
):
    stacks, marks, images = models(**options)
    alone = adjust_over_maps(
        [compare(maps, marks, images, settings=QUICK, rng=3) for maps in stacks], QUICK.correction
    )
    drawn = counted(monkeypatch, pairs, "draw_annotations")
    shapes = counted(monkeypatch, rasterise, "_draw")
    ceilings = counted(monkeypatch, once, "noise_ceilings")
    reliabilities = counted(monkeypatch, annotators, "mark_properties")
    placements = counted(monkeypatch, pairs, "check_placement")
    steps = []
    together = compare_models(
        stacks, marks, images, settings=QUICK, rng=3, on_step=lambda *step: steps.append(step)
    )
    assert (len(drawn), len(shapes)) == (1, 2 * 16)
    assert (len(ceilings), len(reliabilities)) == (n_ceilings, n_reliabilities)
    assert len(placements) == n_ceilings
    for one, other in zip(alone, together.results, strict=True):
        assert json.dumps(one.to_record()) == json.dumps(other.to_record())
        assert one.values.tobytes() == other.values.tobytes()
    # every step of each model is still reported
    for name in ("made-up", "second"):
        numbers = [n for of, n, _ in steps if of == name]
        total = {total for of, _, total in steps if of == name}
        assert numbers == list(range(1, len(numbers) + 1))
        assert total == {len(numbers)}


def test_models_that_see_another_field_have_annotations_of_their_own():
    stacks, marks, images = models()
    maps = stacks[1]
    smaller = dataclasses.replace(
        maps,
        layers={"gate2": maps.layers["gate2"][:, :20]},
        geometry={"gate2": maps.geometry["gate2"]},
        brightness=maps.brightness[:, :20],
        valid=maps.valid[:, :20],
    )
    first, second = pairs.align_all(
        [stacks[0], smaller], marks, images, fwhm_arcsec=5.4, use_source_weights=False
    )
    np.testing.assert_array_equal(second.density, first.density[:, :, :20])
    assert second.density is not first.density


def test_brightness_is_checked_for_every_model():
    stacks, marks, images = models()
    turned = dataclasses.replace(stacks[1], brightness=stacks[1].brightness[:, ::-1])
    with pytest.raises(AlignmentError, match="upside down"):
        compare_models([stacks[0], turned], marks, images, settings=QUICK)


def test_arguments_in_another_order_are_refused():
    maps, marks, images = made_up(n_sources=3)
    for given, kinds in (
        ((marks, [maps], images), "AnnotationSet, list and SourceSet"),
        ((maps, marks, images), "MapStack, AnnotationSet and SourceSet"),
        (([maps], images, marks), "MapStack, SourceSet and AnnotationSet"),
    ):
        with pytest.raises(OptionError, match=f"list of stacks of maps.*got {kinds}"):
            compare_models(*given)
