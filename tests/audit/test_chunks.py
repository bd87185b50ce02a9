"""Audits that go through images and maps a chunk at a time, against those of all at once."""

from __future__ import annotations

import dataclasses
import json
import warnings
import weakref
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.audit import AUDITS, class_mean_maps, evidence_location, map_agreement
from attnxai.audit.evidence_location import maps_and_sums
from attnxai.audit.evidence_location_statistics import locate_evidence
from attnxai.audit.own_maps import own_methods
from attnxai.data.images import SourceSet
from attnxai.errors import AssumptionWarning
from attnxai.explanations.explained_maps import ExplainedMaps
from attnxai.explanations.explaining import explain_part
from attnxai.explanations.files.map_chunks import MapChunks
from tests.audit.test_class_means import made_up
from tests.audit.test_evidence_location import SIDE, sources
from tests.explanations.conftest import build_model
from tests.models import ordinary_networks
from tests.models.ordinary_networks import PREPROCESSING, ResidualNetwork, seeded

N = 37  # of a batch of 16 each, and a rest


@pytest.fixture
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Chunks of a whole batch, so that every forward pass is that of all images at once."""
    monkeypatch.setattr("attnxai.explanations.explained_maps.CHUNK", 16)
    monkeypatch.setattr("attnxai.explanations.files.map_chunks.CHUNK", 16)
    monkeypatch.setattr("attnxai.audit.sums_of_chunks.CHUNK", 16)


def audited(name: str, model: Any, images: Any, **options: Any) -> Any:
    return AUDITS[name].function(model, images, rng=np.random.default_rng(3), **options)


def as_text(result: Any) -> str:
    return json.dumps(result.to_record())


def explained(model: Any, images: Any) -> tuple[Any, np.random.Generator]:
    """Maps of all images at once, by the seed that the audit takes, and what it draws from afterwards."""
    rng = np.random.default_rng(3)
    maps = attnxai.explain(model, images, own_methods(model), rng=int(rng.integers(2**31)))
    return maps, rng


@pytest.mark.usefixtures("small_chunks")
def test_evidence_of_a_gated_network_is_that_of_one_pass_through_all_images() -> None:
    model, images = build_model(side=SIDE), sources(N)
    maps, sums = maps_and_sums(model, images, "gates")
    classes = [image.class_name for image in images]
    whole = locate_evidence(maps, classes, sums=sums, rng=4, n_bootstrap=200)
    assert len(whole.zones) == 3
    found = evidence_location(model, images, rng=4, n_bootstrap=200)
    assert as_text(found) == as_text(whole)


@pytest.mark.usefixtures("small_chunks")
def test_evidence_of_a_pooled_network_is_that_of_one_pass_through_all_images() -> None:
    model = attnxai.wrap(
        seeded(ResidualNetwork), preprocessing=PREPROCESSING, class_names=("FR I", "FR II")
    )
    images = ordinary_networks.sources(N, 2)
    maps, sums = maps_and_sums(model, images, "cam")
    classes = [image.class_name for image in images]
    whole = locate_evidence(maps, classes, sums=sums, rng=4, n_bootstrap=200)
    assert len(whole.zones) == 3
    found = evidence_location(model, images, method="cam", rng=4, n_bootstrap=200)
    assert as_text(found) == as_text(whole)


@pytest.mark.usefixtures("small_chunks")
def test_only_sources_of_the_group_count_in_whichever_chunk_they_are() -> None:
    model, images = build_model(side=SIDE), list(sources(N))
    for position, name in (
        (3, "s0"),
        (20, "s1"),
    ):  # of the training and the validation of the model
        images[position] = images[position].with_facts(source=name)
    maps, sums = maps_and_sums(model, images, "gates")
    assert [i for i, split in enumerate(maps.splits) if split != "held-out"] == [3, 20]
    classes = [image.class_name for image in images]
    whole = locate_evidence(maps, classes, sums=sums, rng=4, n_bootstrap=99)
    found = evidence_location(model, images, rng=4, n_bootstrap=99)
    assert found.n_sources == N - 2
    assert as_text(found) == as_text(whole)


@pytest.mark.usefixtures("small_chunks")
def test_agreement_and_class_means_are_those_of_maps_that_are_all_there() -> None:
    model, images = build_model(side=SIDE), sources(N)
    maps, rng = explained(model, images)
    agreement = audited("map_agreement", model, images)
    wanted = map_agreement(maps, rng=rng)
    np.testing.assert_array_equal(agreement.values, wanted.values)
    assert as_text(agreement) == as_text(wanted)
    maps, rng = explained(model, images)
    means = audited("class_means", model, images)
    names = [image.class_name for image in images]
    assert as_text(means) == as_text(class_mean_maps(maps, names, group=model.spec.group, rng=rng))


def test_class_means_are_plain_means_also_where_a_late_source_has_a_smaller_footprint(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its missing pixels make the disc of all sources smaller, after most have been measured."""
    stack, classes = made_up(14)
    valid = np.array(stack.valid)
    valid[11, :9] = False
    stack = dataclasses.replace(stack, valid=valid)
    whole = class_mean_maps(
        stack, classes, n_bootstrap=50
    )  # one chunk, of which the disc is known at once
    smaller = class_mean_maps(made_up(14)[0], classes, n_bootstrap=50)
    assert np.isnan(whole.means).sum() > np.isnan(smaller.means).sum()
    monkeypatch.setattr("attnxai.explanations.files.map_chunks.CHUNK", 3)
    n_passes = []
    chunks = MapChunks.chunks

    def counted(maps: MapChunks) -> Any:
        n_passes.append(1)
        return chunks(maps)

    monkeypatch.setattr(MapChunks, "chunks", counted)
    found = class_mean_maps(stack, classes, n_bootstrap=50)
    assert len(n_passes) == 2
    np.testing.assert_array_equal(found.means, whole.means)
    np.testing.assert_array_equal(found.radii, whole.radii)
    for key, profiles in whole.profiles.items():
        np.testing.assert_array_equal(found.profiles[key].radial, profiles.radial)
        np.testing.assert_array_equal(found.profiles[key].angular, profiles.angular)
    assert as_text(found) == as_text(whole)


def test_correlations_do_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    stack, _ = made_up(10)
    whole = map_agreement(stack, n_bootstrap=50)
    monkeypatch.setattr("attnxai.explanations.files.map_chunks.CHUNK", 3)
    monkeypatch.setattr("attnxai.alignment.resample._AT_ONCE", 2)
    found = map_agreement(stack, n_bootstrap=50)
    np.testing.assert_array_equal(found.values, whole.values)
    np.testing.assert_array_equal(found.counts, whole.counts)


@pytest.mark.usefixtures("small_chunks")
@pytest.mark.parametrize("name", ["evidence_location", "map_agreement", "class_means"])
def test_the_maps_of_one_chunk_are_in_memory(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    alive: list[Any] = []
    most = []

    def followed(model: Any, images: Any, *args: Any, **options: Any) -> Any:
        assert len(images) <= 16
        stack = explain_part(model, images, *args, **options)
        alive.extend(
            weakref.ref(maps.base if maps.base is not None else maps)
            for maps in stack.layers.values()
        )
        most.append(sum(one() is not None for one in alive) / len(stack.layers))
        return stack

    monkeypatch.setattr("attnxai.explanations.explained_maps.explain_part", followed)
    steps: list[tuple[int, int]] = []
    audited(name, build_model(side=SIDE), sources(64), on_step=lambda *step: steps.append(step))
    # the stack of the chunk before goes when the next is bound to its name
    assert len(most) == 4
    assert max(most) <= 2
    assert steps[-1] == (64, 64)
    assert steps == sorted(steps)


@pytest.mark.usefixtures("small_chunks")
def test_what_is_assumed_of_images_is_told_once_of_all() -> None:
    images = SourceSet(
        dataclasses.replace(image, grid=dataclasses.replace(image.grid, pixel_scale_arcsec=None))
        for image in sources(N)
    )
    model = build_model(side=SIDE)
    for run in (
        lambda: evidence_location(model, images, n_bootstrap=99),
        lambda: evidence_location(
            model, images, maps=attnxai.explain(model, images), n_bootstrap=99
        ),
    ):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            run()
        told = [str(one.message) for one in caught if one.category is AssumptionWarning]
        assert len(set(told)) == 1
        assert told[0].startswith(f"{N} of {N} images state no pixel scale")


@pytest.mark.usefixtures("small_chunks")
def test_methods_that_draw_draw_what_a_store_of_the_same_seed_holds() -> None:
    model, images = build_model(side=SIDE), sources(20)
    chunks = list(
        ExplainedMaps(model=model, images=images, method="smoothed_saliency", rng=5).chunks()
    )
    assert [len(chunk) for chunk in chunks] == [16, 4]
    first = attnxai.explain(model, images[:16], "smoothed_saliency", rng=5)
    (layer,) = first.layers
    np.testing.assert_array_equal(chunks[0].layers[layer], first.layers[layer])
    again = attnxai.explain(model, images[16:], "smoothed_saliency", rng=5)
    assert not np.array_equal(chunks[1].layers[layer], again.layers[layer])
