"""``attnxai maps``: the maps of a model in files, and contours for DS9."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits
from astropy.wcs import WCS
from regions import PixCoord, Regions

import attnxai as package
from attnxai.cli.options import use_machine
from attnxai.errors import OptionError
from tests.cli.program import attnxai, refused


@pytest.fixture
def few(sample: Path) -> Path:
    """The sample with three images."""
    for file in sorted((sample / "images").iterdir())[3:]:
        file.unlink()
    return sample


OPTIONS = ("--model", "c1.pt", "--images", "images")


@pytest.mark.parametrize("name", ["maps.npz", "maps.zarr", "maps.fits", "maps"])
def test_maps_of_a_folder_of_images(name: str, few: Path) -> None:
    done = attnxai("maps", *OPTIONS, "-o", name, cwd=few, check=0)
    assert f"Maps: {name}" in done.stdout
    assert "3 sources; gate1, gate2, gate3" in done.stdout
    images = package.read_images(few / "images")
    found = package.read_maps(few / name)
    expected = package.attention_maps(package.load_model("c1.pt"), images)
    assert found.sources == expected.sources
    for layer, maps in expected.layers.items():
        np.testing.assert_array_equal(found.layers[layer], maps)
    refused(attnxai("maps", *OPTIONS, "-o", name, cwd=few), "add --overwrite")


def test_maps_of_annotated_sources(sample: Path) -> None:
    lines = (sample / "mine.csv").read_text(encoding="utf-8").splitlines(keepends=True)
    (sample / "mine.csv").write_text("".join(lines[:2]), encoding="utf-8")
    options = ("--model", "c1.pt", "--annotations", "mine.csv", "-o", "maps.npz")
    done = attnxai("maps", *options, cwd=sample, check=0)
    assert "c1.pt is not a local file: using the model that ships" in done.stderr
    assert package.read_maps(sample / "maps.npz").sources == (
        package.read_annotations(sample / "mine.csv").sources
    )


def test_methods_target_and_contours(few: Path) -> None:
    attnxai(
        *("maps", *OPTIONS, "-o", "maps.fits", "--explain", "gates,evidence"),
        *("--target", "FR I", "--target", "FR II", "--contours"),
        cwd=few,
        check=0,
    )
    found = package.read_maps(few / "maps.fits")
    gates, evidence = found.provenance["explanations"]
    assert gates["name"] == "gates"
    assert evidence["target"] == ["FR I", "FR II"]
    images = package.read_images(few / "images")
    # a contour encloses the highest pixel of its map, on the sky
    source = found.sources[1]
    regions = Regions.read(few / "maps-regions" / f"{source}.reg", format="ds9")
    with fits.open(few / "maps.fits") as file:
        (hdu,) = (
            h for h in file if h.header.get("EXTNAME") == "gate3" and h.header["OBJECT"] == source
        )
        row, column = np.unravel_index(hdu.data.argmax(), hdu.data.shape)
        highest = WCS(hdu.header).pixel_to_world(column, row)
    wcs = images[source].grid.wcs
    x, y = wcs.world_to_pixel(highest)
    own = [r for r in regions if r.meta["tag"] == ["gate3", "highest 5 %"]]
    assert any(region.to_pixel(wcs).contains(PixCoord(float(x), float(y))) for region in own)
    expected = found.geometry["gate3"].within(found.field[1])
    np.testing.assert_allclose(
        (x, y),
        (expected.origin_x + column * expected.step, expected.origin_y + row * expected.step),
        atol=1e-4,
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["-o", "maps.png"], "should end in one of .npz, .fits, .zarr"),
        (
            ["-o", "m.npz", "--explain", "evidence", "--target", "quasar"],
            "target 'quasar' is not a class of the model",
        ),
        (
            ["-o", "m.npz", "--target", "FR I"],
            "--target changes nothing, since the maps of --explain (gates) explain no class",
        ),
        (["-o", "m.npz", "--explain", "nonsense"], "unknown explanation method 'nonsense'"),
        (
            ["-o", "m.npz", "--images", "nowhere"],
            "images 'nowhere' is neither a file, a folder nor a pattern",
        ),
        (["-o", "m.npz", "--workers", "2"], "--workers is for maps in Zarr"),
        (["-o", "m.npz", "--scheduler", "tcp://h:1"], "--scheduler is for maps in Zarr"),
        (["-o", "m.zarr", "--scheduler", "h", "--workers", "2"], "cluster; give one of them"),
        (
            ["-o", "m.zarr", "--scheduler", "h"],
            "no Dask scheduler answers at 'h', which names no port; give the address",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_and_nothing_is_left(options, message, sample: Path) -> None:
    before = sorted(sample.rglob("*"))
    refused(attnxai("maps", *OPTIONS, *options, cwd=sample), message)
    assert sorted(sample.rglob("*")) == before


def test_one_of_several_images_is_asked_for_and_chosen(few: Path) -> None:
    """A cube in the second image extension of every file has the images, and everything else is noise."""
    noise = np.random.default_rng(3).normal(size=(160, 160))
    expected = package.attention_maps(
        package.load_model("c1.pt"), package.read_images(few / "images")
    )
    for file in (few / "images").iterdir():
        with fits.open(file) as hdus:
            pixels, header = hdus[0].data, hdus[0].header
        cube = np.stack([noise, pixels])
        extensions = [fits.ImageHDU(noise, name="RMS"), fits.ImageHDU(cube, header, name="SCI")]
        fits.HDUList([fits.PrimaryHDU(), *extensions]).writeto(file, overwrite=True)
    done = attnxai("maps", *OPTIONS, "-o", "maps.npz", cwd=few)
    refused(
        done,
        "has 2 images, HDU 1 RMS (160 x 160), HDU 2 SCI (2 x 160 x 160, mJy/beam)",
        "the first by --hdu 1",
    )
    done = attnxai("maps", *OPTIONS, "-o", "maps.npz", "--hdu", "sci", cwd=few)
    refused(done, "is a cube of 2 planes, 2 along axis 3", "such as the first by --plane 0")
    done = attnxai("maps", *OPTIONS, "-o", "maps.npz", "--hdu", "sci", "--plane", "first", cwd=few)
    refused(done, "plane has to be the index of a plane")
    chosen = ("--hdu", "sci", "--plane", "1")
    attnxai("maps", *OPTIONS, "-o", "maps.npz", *chosen, cwd=few, check=0)
    for layer, maps in expected.layers.items():
        found = package.read_maps(few / "maps.npz").layers[layer]
        np.testing.assert_allclose(
            found, maps, atol=1e-3
        )  # the sample's pixels are scaled integers


def test_small_images_are_padded_and_smoothed_when_asked(few: Path) -> None:
    for file in (few / "images").iterdir():
        with fits.open(file) as hdus:
            pixels, header = hdus[0].data[20:140, 20:140], hdus[0].header
        header["BMAJ"] = header["BMIN"] = 4.0 / 3600
        fits.PrimaryHDU(pixels, header).writeto(file, overwrite=True)
    done = attnxai("maps", *OPTIONS, "-o", "maps.npz", cwd=few)
    refused(done, "at least 144 x 144; give a larger cutout, or pass --pad to have what is missing")
    done = attnxai("maps", *OPTIONS, "-o", "maps.npz", "--pad", cwd=few, check=0)
    assert "3 of 3 images do not cover the network's field; 31 % of theirs is pa" in done.stderr
    padded = package.read_maps(few / "maps.npz")
    assert 1 - padded.valid[:, 72].mean() == pytest.approx(24 / 144, abs=1e-9)
    attnxai("maps", *OPTIONS, "-o", "b.npz", "--pad", "--match-beam", cwd=few, check=0)
    smoothed = package.read_maps(few / "b.npz")
    assert smoothed.brightness.sum() > padded.brightness.sum()


def test_images_that_cannot_be_used_are_listed_and_the_run_goes_on(few: Path) -> None:
    first, second, third = sorted((few / "images").iterdir())
    second.write_bytes(b"SIMPLE  =")
    with fits.open(third) as hdus:
        fits.PrimaryHDU(hdus[0].data[:50, :50], hdus[0].header).writeto(third, overwrite=True)
    refused(attnxai("maps", *OPTIONS, "-o", "maps.npz", cwd=few), "image images")
    written = ("-o", "maps.zarr", "--contours", "--quiet")
    done = attnxai("maps", *OPTIONS, *written, cwd=few, check=0)
    assert done.stdout.split() == ["Maps:", "maps.zarr", "Regions:", "maps-regions"]
    regions = (few / "maps-regions").glob("*.reg")
    assert [file.name for file in regions] == [f"{package.data.list_images(first).sources[0]}.reg"]
    assert (
        "2 of 3 images cannot be used and have no maps; reason in maps.zarr says why" in done.words
    )
    assert second.name in done.stderr
    assert "or pass --pad to have what is missing" in done.words
    maps = package.explanations.read_map_chunks(few / "maps.zarr")
    assert maps.sources == package.data.list_images(first).sources
    assert len(maps.unusable) == 2
    first.write_bytes(b"nothing")
    done = attnxai("maps", *OPTIONS, "-o", "other.zarr", cwd=few)
    refused(done, "none of 3 images of images can be used")
    assert not list(few.glob("*other*"))


def test_a_run_that_is_interrupted_says_that_it_resumes(few: Path, monkeypatch) -> None:
    from attnxai.explanations import map_run

    with monkeypatch.context() as patch:
        patch.setattr(
            map_run, "write_metadata", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt)
        )
        done = attnxai("maps", *OPTIONS, "-o", "maps.zarr", cwd=few, check=130)
    assert (
        "Interrupted; run the same command again to resume: finished chunks of images" in done.words
    )
    done = attnxai("maps", *OPTIONS, "-o", "maps.zarr", "--seed", "5", cwd=few)
    refused(
        done, "made with seed 0, not 5; give the same seed, or another output, or add --overwrite"
    )
    done = attnxai("maps", *OPTIONS, "-o", "maps.zarr", cwd=few, check=0)
    assert "Maps: 3 of 3 images are finished already" in done.stderr
    assert package.read_maps(few / "maps.zarr").sources


def test_the_device_of_a_cluster_is_that_of_its_workers():
    assert use_machine("auto", None, "tcp://host:8786") == "cpu"
    assert use_machine("cuda:99", None, "tcp://host:8786") == "cuda:99"
    with pytest.raises(OptionError, match="'cuda:99' cannot be used here"):
        use_machine("cuda:99", None)
