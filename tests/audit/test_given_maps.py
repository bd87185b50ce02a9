"""Audits of maps that are given, from a store or in memory."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.audit import evidence_location, run_audits
from attnxai.audit.given_maps import MapOrigin, target_of
from attnxai.audit.images import read_audit_images
from attnxai.audit.own_maps import own_methods
from attnxai.errors import AlignmentError, LeftOutWarning, OptionError
from attnxai.explanations.files.map_chunks import MapChunks
from tests.audit.test_evidence_location import SIDE, sources
from tests.explanations.conftest import build_model

OF_MAPS = ["evidence_location", "map_agreement", "class_means"]
N = 20


@pytest.fixture(scope="module")
def model() -> Any:
    return build_model(side=SIDE)


@pytest.fixture(scope="module")
def images() -> Any:
    return sources(N)


@pytest.fixture(scope="module")
def own(model: Any, images: Any) -> Any:
    """The maps that the model would make itself."""
    return attnxai.explain(model, images, own_methods(model))


def audits_of(found: Any) -> Any:
    """Numbers and sentences of every audit, without those about the maps."""
    record = json.loads(json.dumps(found.to_record()["audits"]))
    for one in record.values():
        one["summary"] = [line for line in one["summary"] if not line.startswith("Maps: ")]
    return record


def test_maps_of_the_models_own_methods_give_the_numbers_of_its_own_maps(
    model: Any, images: Any, own: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("attnxai.audit.own_maps.MOST_IMAGES", 3)
    own.write(tmp_path / "maps.zarr")
    store = attnxai.explanations.read_map_chunks(tmp_path / "maps.zarr")
    gates = attnxai.explain(model, images)
    for names, given in ((["evidence_location"], gates), (["faithfulness", *OF_MAPS[1:]], store)):
        without = run_audits(model, images, names, rng=1)
        found = run_audits(model, images, names, maps=given, rng=1)
        assert audits_of(found) == audits_of(without)


def test_other_maps_are_those_that_are_audited(
    model: Any, images: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    maps = attnxai.explain(model, images, ["saliency", "evidence"])

    def refuse(*_: Any, **__: Any) -> None:
        raise AssertionError("images are explained although there are maps")

    monkeypatch.setattr("attnxai.audit.own_maps.explain", refuse)
    monkeypatch.setattr("attnxai.explanations.explained_maps.explain_part", refuse)
    found: Any = run_audits(model, images, OF_MAPS, maps=maps, rng=1)
    located = found.results["evidence_location"].to_record()
    assert [one["map"] for one in located["maps"]] == list(maps.layers)
    assert len(located["zones"]) == 3  # by the network itself
    assert found.results["map_agreement"].layers == tuple(maps.layers)
    record = found.to_record()
    assert record["maps"] == {
        "given": True,
        "explanations": ["saliency", "evidence"],
        "layers": list(maps.layers),
        "file": None,
        "sha256": None,
        "n_without_maps": 0,
        "n_not_audited": 0,
    }
    assert "Maps: saliency maps and evidence maps (saliency, evidence" in found.summary()
    assert record["audits"]["class_means"]["summary"][-1].startswith("Maps: saliency maps")


def test_where_the_maps_come_from_is_said_of_own_maps_too(model: Any, images: Any) -> None:
    found = run_audits(model, images, ["map_agreement"], rng=1)
    assert found.to_record()["maps"] == {
        "given": False,
        "explanations": ["gates", "evidence_relative"],
    }
    assert found.summary().endswith(
        "Maps: attention maps and evidence maps relative to empty sky, which the model made of the images for this audit."
    )


def test_audits_that_explain_anew_say_so(model: Any, images: Any, own: Any) -> None:
    origin = MapOrigin.of(own, 12)
    found = run_audits(model, images, ["map_agreement"], maps=own, rng=1)
    both = dataclasses.replace(
        found, maps=origin, results={**found.results, "rotations": found.results["map_agreement"]}
    )
    assert both.about_maps().endswith(
        "Maps of 8 other sources are not audited. The audit rotations explains anew, by the model's own methods."
    )
    assert both.about_maps(["rotations"]) == "made anew, by the model's own methods."
    with pytest.raises(OptionError, match="rotations would not use them; leave the maps out"):
        run_audits(model, images, ["rotations"], maps=own)


def test_images_and_maps_that_lack_each_other(model: Any, images: Any, own: Any) -> None:
    some = own.take(range(2, N))
    with pytest.raises(
        AlignmentError, match=rf"the maps lack 2 of {N} images: x0, x1; they are of 18 sources"
    ):
        run_audits(model, images, OF_MAPS, maps=some)
    reasoned = dataclasses.replace(MapChunks.of(some), unusable={"x0": "too dark", "x1": "torn"})
    with pytest.warns(
        LeftOutWarning, match=r"2 of 20 images have no maps and are left out: x0 \(too dark\)"
    ):
        found = run_audits(model, images, OF_MAPS[:1], maps=reasoned, rng=1)
    assert found.n_images == 18
    assert found.to_record()["maps"]["n_without_maps"] == 2
    assert "2 images have no maps." in found.summary()
    fewer = run_audits(model, images[:15], OF_MAPS[1:2], maps=own, rng=1)
    assert (fewer.n_images, fewer.maps.n_not_audited) == (15, 5)
    # in the order of the maps, whichever that of the images is
    turned = run_audits(model, list(images[:15])[::-1], OF_MAPS[1:2], maps=own, rng=1)
    assert turned.to_record()["audits"] == fewer.to_record()["audits"]


def test_maps_of_another_model_or_field_are_refused(model: Any, images: Any, own: Any) -> None:
    other = dataclasses.replace(own, provenance={**own.provenance, "sha256": "56" * 32})
    with pytest.raises(
        AlignmentError, match="sha256 565656565656, and the model that is audited, tiny, has 34;"
    ):
        run_audits(model, images, OF_MAPS, maps=other)
    with pytest.raises(AlignmentError, match="give the model that made the maps"):
        evidence_location(model, images, maps=MapChunks.of(other))
    whole = attnxai.maps_from_arrays(
        images, {"all": np.random.default_rng(0).random((N, 26, 26))}, model_name="elsewhere"
    )
    narrow = dataclasses.replace(
        whole,
        brightness=whole.brightness[:, 1:, 1:],
        valid=whole.valid[:, 1:, 1:],
    )
    with pytest.raises(
        AlignmentError, match="a field of 25 x 25 pixels, and the model tiny sees 26 x 26"
    ):
        run_audits(model, images, OF_MAPS, maps=narrow)


def test_maps_of_other_images_with_the_same_names_are_refused(
    model: Any, images: Any, own: Any
) -> None:
    turned = [dataclasses.replace(image, pixels=image.pixels.T) for image in images]
    turned[:2] = images[:2]
    with pytest.raises(
        AlignmentError, match=r"gives to 1\d of 20 images, such as 'x\d+'; give the images that"
    ):
        evidence_location(model, turned, maps=own, n_bootstrap=99)


def test_maps_of_other_programs_take_classes_and_scores_of_the_model(
    model: Any, images: Any
) -> None:
    rng = np.random.default_rng(0)
    maps = attnxai.maps_from_arrays(
        images, {"theirs": rng.random((N, 26, 26), np.float32)}, model_name="elsewhere"
    )
    found = run_audits(model, images, OF_MAPS, maps=maps, rng=1)
    without = run_audits(model, images, OF_MAPS[:1], rng=1)
    by_maps, by_model = (one.results["evidence_location"].to_record() for one in (found, without))
    assert by_maps["zones"] == by_model["zones"]
    assert by_maps["accuracy"] == by_model["accuracy"]
    assert [one["map"] for one in by_maps["maps"]] == ["theirs"]
    assert found.group == "held-out"
    assert found.to_record()["maps"]["explanations"] == []


def test_faithfulness_follows_the_class_that_the_maps_explain(model: Any, images: Any) -> None:
    maps = attnxai.explain(model, images[:2], ["gates", "evidence"], target="FR II")
    assert target_of(MapChunks.of(maps)) == "FR II"
    assert target_of(MapChunks.of(attnxai.explain(model, images[:2], "evidence"))) is None
    found: Any = run_audits(model, images[:2], ["faithfulness"], maps=maps)
    assert found.results["faithfulness"].target == "FR II"


def test_images_without_maps_are_not_read(model: Any, tmp_path: Path) -> None:
    folder = tmp_path / "cutouts"
    folder.mkdir()
    for image in sources(4):
        np.save(folder / f"{image.source}.npy", np.asarray(image.pixels, np.uint8))
    (folder / "x3.npy").write_bytes(b"torn")
    (folder / "labels.csv").write_text("source,class\nx0,FR I\nx1,FR II\n")
    stack = attnxai.explain(model, sources(3))
    maps = dataclasses.replace(MapChunks.of(stack), unusable={"x3": "torn"})
    with pytest.warns(LeftOutWarning, match="1 of 4 images has no maps and is left out: x3"):
        found = read_audit_images(str(folder), maps=maps, pixel_scale_arcsec=1.8)
    assert found.sources == ("x0", "x1", "x2")
    assert [image.class_name for image in found] == ["FR I", "FR II", None]
