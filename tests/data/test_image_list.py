"""Images that are named and not read: folders, patterns, lists, tables and arrays in files."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import zarr
from astropy.io import fits

from attnxai.data.image_list import ImageList, list_images
from attnxai.data.images import SourceImage, from_array
from attnxai.errors import AssumptionWarning, ImageError

RNG = np.random.default_rng(2)
CUBE = RNG.random((12, 20, 24)).astype(np.float32)
CARDS = {"CTYPE1": "RA---SIN", "CTYPE2": "DEC--SIN", "CDELT1": -0.0005, "CDELT2": 0.0005}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "cut outs").mkdir()
    for i in range(4):
        np.save(tmp_path / "cut outs" / f"g{i}.npy", CUBE[i])
    return tmp_path


def pixels_of(images: ImageList) -> np.ndarray:
    return np.stack(
        [image.pixels for image in images.batch(0, len(images)).read()]  # type: ignore[union-attr]
    )


def test_folders_patterns_lists_and_tables(folder: Path) -> None:
    files = [f"cut outs/g{i}.npy" for i in (2, 0, 3)]
    (folder / "list.txt").write_text("# mine\n\n" + "\n".join(files) + "\n", encoding="utf-8")
    rows = "".join(f"{file},galaxy {i},x\n" for i, file in enumerate(files))
    (folder / "table.csv").write_text(f"image,source,note\n{rows}", encoding="utf-8")
    (folder / "plain.csv").write_text("file\n" + "\n".join(files) + "\n", encoding="utf-8")
    for name, sources, order in (
        ("cut outs", ("g0", "g1", "g2", "g3"), [0, 1, 2, 3]),
        ("cut outs/g[13].npy", ("g1", "g3"), [1, 3]),
        ("**/g2.*", ("g2",), [2]),
        ("cut outs/g3.npy", ("g3",), [3]),
        ("list.txt", ("g2", "g0", "g3"), [2, 0, 3]),
        ("table.csv", ("galaxy 0", "galaxy 1", "galaxy 2"), [2, 0, 3]),
        ("plain.csv", ("g2", "g0", "g3"), [2, 0, 3]),
    ):
        images = list_images(folder / name)
        assert images.sources == sources, name
        np.testing.assert_array_equal(pixels_of(images), CUBE[order])
        assert images.read().sources == sources


def fits_cube(path: Path) -> None:
    hdu = fits.PrimaryHDU((CUBE * 30000).astype(">i2"), fits.Header(CARDS))
    hdu.header["BSCALE"] = 1 / 30000
    hdu.writeto(path / "cube.fits")


def hdf5(path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    with h5py.File(path / "cube.h5", "w") as file:
        file.create_dataset("set/images", data=CUBE, chunks=(5, 20, 24), compression="gzip")
        file["set/images"].attrs["pixel_scale_arcsec"] = 1.8
        file["set/name"] = [f"J{i}" for i in range(12)]


def zarr_folder(path: Path) -> None:
    root = zarr.create_group(str(path / "cube.zarr"), attributes={"pixel_scale_arcsec": 1.8})
    root.create_array("images", data=CUBE, chunks=(5, 20, 24))
    names = root.create_array("source", shape=(12,), dtype=str)
    names[:] = np.array([f"J{i}" for i in range(12)], dtype=object)


def npy(path: Path) -> None:
    np.save(path / "cube.npy", CUBE)


NUMBERED = tuple(f"cube_{i:02d}" for i in range(12))
NAMED = tuple(f"J{i}" for i in range(12))


@pytest.mark.filterwarnings("ignore:.*is taken for 12 images")
@pytest.mark.parametrize(
    ("make", "name", "sources", "scale", "atol"),
    [
        (fits_cube, "cube.fits", NUMBERED, 1.8, 1e-4),
        (npy, "cube.npy", NUMBERED, None, 0),
        (hdf5, "cube.h5", NAMED, 1.8, 0),
        (hdf5, "cube.h5::set/images", NAMED, 1.8, 0),
        (zarr_folder, "cube.zarr", NAMED, 1.8, 0),
        (zarr_folder, "cube.zarr::images", NAMED, 1.8, 0),
    ],
)
def test_arrays_of_images(
    make: Any, name: str, sources: tuple[str, ...], scale: float | None, atol: float, tmp_path: Path
) -> None:
    make(tmp_path)
    images = list_images(f"{tmp_path}/{name}")
    assert images.sources == sources
    np.testing.assert_allclose(pixels_of(images), CUBE, atol=atol)
    batch = pickle.loads(pickle.dumps(images.batch(6, 8)))  # noqa: S301 -- as for another process
    seventh, eighth = batch.read()
    np.testing.assert_allclose(eighth.pixels, CUBE[7], atol=atol)
    assert seventh.grid.pixel_scale_arcsec == (None if scale is None else pytest.approx(scale))
    assert seventh.path.endswith("[6]")
    assert images.sha256() == list_images(f"{tmp_path}/{name}").sha256()


def test_that_an_array_is_taken_for_images_is_noted(tmp_path: Path) -> None:
    npy(tmp_path)
    with pytest.warns(AssumptionWarning, match=r"cube\.npy is taken for 12 images of sources"):
        list_images(tmp_path / "cube.npy")
    # one plane of it is a single image
    assert list_images(tmp_path / "cube.npy", plane=3).sources == ("cube",)


@pytest.mark.filterwarnings("ignore:.*is taken for 12 images")
def test_only_what_is_asked_for_is_read(tmp_path: Path) -> None:
    zarr_folder(tmp_path)
    (tmp_path / "cube.zarr" / "images" / "c" / "1" / "0" / "0").write_bytes(b"damaged")
    images = list_images(tmp_path / "cube.zarr")
    found = list(images.batch(0, 12).read())
    good = [i for i, one in enumerate(found) if isinstance(one, SourceImage)]
    assert good == [0, 1, 2, 3, 4, 10, 11]
    assert "image 5 cannot be read, it may be damaged" in str(found[5])
    np.testing.assert_array_equal(found[11].pixels, CUBE[11])  # type: ignore[union-attr]


def test_bad_images_are_errors_in_their_places(folder: Path) -> None:
    (folder / "cut outs" / "g1.npy").write_bytes(b"what?")
    (folder / "cut outs" / "g2.npy").unlink()
    images = list_images(folder / "cut outs" / "*.npy")
    (folder / "cut outs" / "g3.npy").unlink()
    first, second, third = images.batch(0, 3).read()
    assert isinstance(first, SourceImage)
    assert "which is not read" in str(second)
    assert "does not exist" in str(third)
    with pytest.raises(ImageError, match="2 images cannot be used"):
        images.read()


def test_names_and_sizes_make_the_hash(folder: Path) -> None:
    before = list_images(folder / "cut outs").sha256()
    assert before == list_images(folder / "cut outs").sha256()
    assert before != list_images(folder / "cut outs", pad=True).sha256()
    assert before != list_images(folder / "cut outs" / "g[0-2].npy").sha256()
    np.save(folder / "cut outs" / "g3.npy", CUBE[0, :10])
    assert before != list_images(folder / "cut outs").sha256()
    held = [from_array(CUBE[i], source=f"g{i}") for i in range(2)]
    other = [from_array(CUBE[i] + 1, source=f"g{i}") for i in range(2)]
    assert ImageList(held, origin="a").sha256() != ImageList(other, origin="a").sha256()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("nowhere/*.fits", None, "is neither a file, a folder nor a pattern that names files"),
        ("list.txt", "", "names no images"),
        ("list.txt", "a/x.fits\nb/x.npy\n", "two images .* have the source id 'x': .*rename one of them"),
        ("list.txt", "ü".encode("latin-1"), "is not UTF-8 text"),
        ("table.csv", "source,class\na,FR I\n", "has no column image"),
        ("table.csv", "image,source\na.fits\n", "line 2 of table of images .* has 1 cell, and its header 2"),
        ("table.csv", "image,source\n,b\n", "line 2 of table of images .* names no image"),
        ("x.fits::images", b"SIMPLE  =", "is neither an HDF5 file nor a Zarr folder"),
        ("x.h5", b"\x89HDF\r\n\x1a\n damaged", "cannot be read, the file may be damaged"),
    ],
)  # fmt: skip
def test_what_cannot_be_used_is_refused(
    name: str, content: Any, message: str, tmp_path: Path
) -> None:
    if name.endswith(".h5"):
        pytest.importorskip("h5py")
    if content is not None:
        content = content.encode() if isinstance(content, str) else content
        (tmp_path / name.partition("::")[0]).write_bytes(content)
    with pytest.raises(ImageError, match=message):
        list_images(f"{tmp_path}/{name}")


def test_several_arrays_have_to_be_chosen_from(tmp_path: Path) -> None:
    zarr_folder(tmp_path)
    zarr.open_group(str(tmp_path / "cube.zarr")).create_array("rms", data=CUBE)
    with pytest.raises(ImageError, match=r"has 2 arrays of shape.*name one, as in .*cube.zarr::"):
        list_images(tmp_path / "cube.zarr")
    with pytest.raises(ImageError, match="has no array 'noise'"):
        list_images(f"{tmp_path}/cube.zarr::noise")


@pytest.mark.parametrize("codec", ["numcodecs.pickle", "pickle", "json2"])
def test_codecs_that_are_not_known_are_refused(codec: str, tmp_path: Path) -> None:
    zarr_folder(tmp_path)
    file = tmp_path / "cube.zarr" / "source" / "zarr.json"
    metadata = json.loads(file.read_text(encoding="utf-8"))
    metadata["codecs"] = [{"name": codec, "configuration": {}}]
    file.write_text(json.dumps(metadata), encoding="utf-8")
    with pytest.raises(ImageError, match="have the codec"):
        list_images(tmp_path / "cube.zarr")


def test_links_to_other_files_in_hdf5_are_not_followed(tmp_path: Path) -> None:
    h5py = pytest.importorskip("h5py")
    hdf5(tmp_path)
    with h5py.File(tmp_path / "links.h5", "w") as file:
        file["images"] = h5py.ExternalLink("cube.h5", "set/images")
        layout = h5py.VirtualLayout(shape=CUBE.shape, dtype="f4")
        layout[:] = h5py.VirtualSource("cube.h5", "set/images", shape=CUBE.shape)
        file.create_virtual_dataset("virtual", layout)
    with pytest.raises(ImageError, match="has 0 arrays of shape"):
        list_images(tmp_path / "links.h5")
