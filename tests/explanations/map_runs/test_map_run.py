"""Runs over many images: the bytes of a store, what cannot be used, and how many images are held at once."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import attnxai
from attnxai.data.image_list import ImageBatch, ImageList, list_images
from attnxai.data.images import SourceImage
from attnxai.errors import (
    AlignmentError,
    AttnxaiError,
    CheckpointError,
    ImageError,
    InUseError,
    OptionError,
)
from attnxai.explanations import EXPLANATIONS, NetworkInputs, register_explanation
from attnxai.explanations.files import formats
from attnxai.explanations.map_run import write_map_store
from attnxai.jobs.locks import locked
from tests.explanations.files.test_formats import check_same
from tests.explanations.map_runs.conftest import (
    N,
    cube,
    listed,
    tree,
)

pytestmark = pytest.mark.usefixtures("small_chunks")


def test_maps_are_those_of_explain_and_bad_images_have_reasons(
    folder: Path, undisturbed: Path
) -> None:
    maps = formats.read_map_chunks(undisturbed)
    bad = ["s02", "s06", "s07", "s10", "s11", "s12", "s13", "s14"]
    assert list(maps.unusable) == bad
    assert "is blank" in maps.unusable["s02"]
    assert "has 20 x 20 pixels" in maps.unusable["s07"]
    files = [folder / "images" / f"{source}.npy" for source in maps.sources]
    assert len(files) == N - len(bad)
    images = attnxai.read_images(files, pixel_scale_arcsec=1.8)
    expected = attnxai.explain(attnxai.load_model("c1.pt"), images)
    found = maps.read(0, len(maps))
    for name, values in expected.layers.items():
        # another composition of batches adds in another order
        np.testing.assert_allclose(found.layers[name], values, atol=2e-6)
    np.testing.assert_array_equal(found.brightness, expected.brightness)
    assert found.provenance == expected.provenance
    assert [part.sources[0] for part in maps.chunks()] == ["s00", "s05", "s15", "s20"]


def test_what_was_written_is_counted(folder: Path, tmp_path: Path) -> None:
    seen: list[tuple[int, int, int]] = []
    run = write_map_store(
        tmp_path / "maps.zarr", "c1.pt", listed(folder), on_progress=lambda *n: seen.append(n)
    )
    assert (run.n_images, run.n_unusable, run.n_kept) == (N, 8, 0)
    assert run.layers == ("gate1", "gate2", "gate3")
    assert seen[0] == (0, N, 0)
    assert seen[-1] == (N, N, 0)
    assert [n for n, _, _ in seen] == sorted(n for n, _, _ in seen)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["maps.zarr"]


@pytest.mark.parametrize("n_workers", [1, 2])
def test_bytes_do_not_depend_on_workers(
    n_workers: int, folder: Path, undisturbed: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if n_workers == 2:  # whose chunks are those of the package
        monkeypatch.undo()
        write_map_store(tmp_path / "one.zarr", "c1.pt", listed(folder))
        undisturbed = tmp_path / "one.zarr"
    write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder), n_workers=n_workers)
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


@pytest.mark.parametrize("batch_size", [1, 3, 32])
def test_bytes_do_not_depend_on_batches(
    batch_size: int,
    folder: Path,
    undisturbed: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[int] = []

    def size(n: int) -> int:
        asked.append(n)
        return batch_size

    monkeypatch.setattr("attnxai.explanations.inputs.images_at_once", size)
    write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    assert asked
    assert tree(tmp_path / "maps.zarr") == tree(undisturbed)


def test_a_second_run_into_the_same_store_is_refused(folder: Path, tmp_path: Path) -> None:
    with (
        locked(tmp_path / ".maps.zarr.lock", output=tmp_path / "maps.zarr"),
        pytest.raises(InUseError, match="another run is writing to"),
    ):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))


def test_a_folder_that_holds_other_files_is_not_used_for_unfinished_maps(
    folder: Path, tmp_path: Path
) -> None:
    (tmp_path / "maps.zarr.partial").mkdir()
    (tmp_path / "maps.zarr.partial" / "thesis.tex").write_text("mine", encoding="utf-8")
    with pytest.raises(OptionError, match=r"holds other files, such as thesis\.tex"):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder), overwrite=True)
    assert (tmp_path / "maps.zarr.partial" / "thesis.tex").exists()


def test_nothing_is_left_where_no_image_can_be_used(folder: Path, tmp_path: Path) -> None:
    bad = list_images(folder / "images" / "s1[0-4].npy")
    with pytest.raises(ImageError, match=r"none of 5 images of .* can be used"):
        write_map_store(tmp_path / "maps.zarr", "c1.pt", bad)
    assert not list(tmp_path.iterdir())


def test_equal_reasons_of_images_are_said_once_with_their_number(tmp_path: Path) -> None:
    folder = tmp_path / "blank"
    folder.mkdir()
    for index in range(40):
        np.save(folder / f"s{index:02d}.npy", np.zeros((3, 3, 64, 64)[index % 2 :]))
    with pytest.raises(ImageError) as caught:
        write_map_store(tmp_path / "maps.zarr", "c1.pt", list_images(folder))
    first, *reasons = str(caught.value).splitlines()
    assert first.startswith("none of 40 images of ")
    assert ["s00" in reasons[0], "s01" in reasons[1]] == [True, True]
    assert all(r.endswith(" (and 19 more images for the same reason)") for r in reasons)
    assert len(reasons) == 2


def test_what_is_wrong_with_the_request_is_said_as_it_is(folder: Path, tmp_path: Path) -> None:
    path = tmp_path / "maps.zarr"
    for given, error, message in (
        ({"target": "quasar"}, OptionError, "target 'quasar' is not a class"),
        ({"method": "nonsense"}, OptionError, "unknown explanation method"),
        ({"model": "lenet.pt"}, CheckpointError, "model"),
        ({"device": "cuda:99"}, AttnxaiError, "device 'cuda:99' cannot be used here"),
    ):
        chosen: dict[str, Any] = {"model": "c1.pt", "images": listed(folder), **given}
        with pytest.raises(error, match=message):
            write_map_store(path, **chosen)
    with pytest.raises(OptionError, match=r"should end in \.zarr"):
        write_map_store(tmp_path / "maps.npz", "c1.pt", listed(folder))


def test_images_are_held_a_chunk_at_a_time(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Live images are counted whenever one is made."""
    import gc
    import weakref

    live = most = 0
    read = ImageBatch.read

    def gone() -> None:
        nonlocal live
        live -= 1

    def counted(batch: Any) -> Iterator[SourceImage | ImageError]:
        nonlocal live, most
        for image in read(batch):
            if isinstance(image, SourceImage):
                live += 1
                weakref.finalize(image.pixels, gone)
                gc.collect()
                most = max(most, live)
            yield image

    monkeypatch.setattr(ImageBatch, "read", counted)
    gc.freeze()  # what other tests have made needs no search
    try:
        write_map_store(tmp_path / "maps.zarr", "c1.pt", listed(folder))
    finally:
        gc.unfreeze()
    # a chunk, and the one image that is read when it is given up
    assert 3 <= most <= 6


def test_methods_that_draw_give_the_same_for_any_number_of_images(
    folder: Path, tmp_path: Path
) -> None:
    """The first chunk draws what explain draws, the others something else, and the seed is that of the run."""
    images = list_images(folder / "images" / "s1[5-9].npy", pixel_scale_arcsec=1.8)
    write_map_store(tmp_path / "a.zarr", "c1.pt", images, "smoothed_gates", seed=4)
    expected = attnxai.explain(attnxai.load_model("c1.pt"), images.read(), "smoothed_gates", rng=4)
    check_same(attnxai.read_maps(tmp_path / "a.zarr"), expected)
    repeated = ImageList.of(
        attnxai.SourceSet(
            SourceImage(source=f"{n}{one.source}", pixels=one.pixels, grid=one.grid)
            for n in "ab"
            for one in images.read()
        )
    )
    write_map_store(tmp_path / "b.zarr", "c1.pt", repeated, "smoothed_gates", seed=4)
    found = attnxai.read_maps(tmp_path / "b.zarr")
    layer = next(iter(found.layers.values()))
    assert found.provenance["explanations"][0]["seed"] == 4
    assert not np.array_equal(layer[:5], layer[5:])
    np.testing.assert_allclose(layer[:5], layer[5:], atol=0.2)


def test_a_method_with_other_layers_for_some_images_is_refused(
    folder: Path, tmp_path: Path
) -> None:
    done: list[int] = []

    @register_explanation(title="maps with odd names")
    def odd(model: Any, images: Any, *, target: Any, rng: Any) -> Any:
        inputs = NetworkInputs.of(model, images)
        return inputs.stack({images[0].source: inputs.brightness})

    try:
        with pytest.raises(
            AlignmentError, match=r"maps by odd do not make one store: header\.layers"
        ):
            write_map_store(
                tmp_path / "maps.zarr",
                "c1.pt",
                listed(folder),
                "odd",
                on_progress=lambda n, total, _: done.append(n),
            )
    finally:
        del EXPLANATIONS["odd"]
    assert max(done) == 10  # at the second chunk


QUICK = ["symmetrised_gradcam", "deeplift"]


def test_notes_of_chunks_say_of_how_many_they_are(tmp_path: Path) -> None:
    for i, pixels in enumerate(cube(12)):
        np.save(tmp_path / f"s{i:02d}.npy", pixels[40:110, 40:110])
    images = list_images(tmp_path, pixel_scale_arcsec=1.8, pad=True)
    (note,) = write_map_store(tmp_path / "maps.zarr", "c1.pt", images).notes
    assert note.startswith("5 of 5 images do not cover")
    assert note.endswith("(the like is said of 2 further chunks of 5 images)")


def ends(ranges: Any) -> list[float]:
    """Lowest and highest values of all that was measured."""
    if not isinstance(ranges, dict):
        return [ranges]
    return [end for name in sorted(ranges) for end in ends(ranges[name])]


@pytest.mark.parametrize(
    "method",
    [
        *QUICK,
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in (*EXPLANATIONS, "smoothed_gates", "symmetrised_gates")
            if name not in (*QUICK, "cam")  # which networks with gates have not
        ),
    ],
)
@pytest.mark.filterwarnings("ignore:integrated gradients of 1 of")
def test_chunks_of_every_method_make_one_store(method: str, tmp_path: Path) -> None:
    """What is measured of images differs between chunks; of all images it is what it is in memory."""
    for i, pixels in enumerate(cube(6)):
        np.save(tmp_path / f"s{i}.npy", pixels)
    model = attnxai.load_model("d8.pt")
    images = list_images(tmp_path, pixel_scale_arcsec=1.8)
    write_map_store(tmp_path / "maps.zarr", "d8.pt", images, method)
    found = attnxai.read_maps(tmp_path / "maps.zarr")
    assert len(found) == 6
    expected = attnxai.explain(
        model,
        attnxai.read_images(sorted(tmp_path.glob("*.npy")), pixel_scale_arcsec=1.8),
        method,
        rng=0,
    )
    (facts,), (stated,) = (one.provenance["explanations"] for one in (expected, found))
    assert facts.keys() == stated.keys()
    of_all, of_chunks = (ends(one.get("measured", {})) for one in (facts, stated))
    np.testing.assert_allclose(of_chunks, of_all, rtol=1e-3, atol=1e-6)
