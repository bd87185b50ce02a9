"""FR-DEEP and batches like it."""

from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from attnxai.data import frdeep
from attnxai.data.batches import find_batches
from attnxai.data.frdeep import RELEASES, Release, published_release, read_frdeep
from attnxai.data.grid import RowZero
from attnxai.errors import AttnxaiWarning, DataSetError, OptionError
from tests.data import mirabest_files
from tests.data.frdeep_files import (
    batch_of,
    filename_of,
    pixels_of,
    write_archive,
    write_frdeep,
)
from tests.data.mirabest_files import Calls, published_pickle, python_2_pickle
from tests.hostile.harness import EFFORTS, fuzz
from tests.hostile.pickles import rearranged


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Eleven training batches and a test batch, two images each."""
    write_frdeep(tmp_path / "FIRST_PNG_dataset")
    return tmp_path / "FIRST_PNG_dataset"


def rewrite(folder: Path, batch: str, number: int, **values: Any) -> None:
    (folder / batch).write_bytes(published_pickle(batch_of(number, **values)))


class TestReading:
    def test_images_classes_and_split(self, folder: Path) -> None:
        images = read_frdeep(folder)
        assert len(images) == 24
        for number, image in enumerate(images):
            assert image.source == filename_of(number % 2, number).removesuffix(".png")
            np.testing.assert_array_equal(image.pixels, pixels_of(number))
            assert image.class_name == ("FR II" if number % 2 else "FR I")
            assert image.split == ("test" if number >= 22 else "train")
            assert image.prepared
            assert image.grid.row_zero is RowZero.BOTTOM
            assert image.grid.wcs is image.grid.pixel_scale_arcsec is None
        assert images[20].path == "data_batch_11/20_FRICAT_FR1"
        assert images.origin == str(folder)

    def test_folder_above_and_archive_hold_the_same(self, folder: Path, tmp_path: Path) -> None:
        expected = read_frdeep(folder)
        assert read_frdeep(tmp_path).sources == expected.sources
        write_archive(tmp_path / "a.tar.gz", folder)
        shutil.rmtree(folder)
        images = read_frdeep(tmp_path / "a.tar.gz")
        assert images.sources == expected.sources
        assert images.sha256() == expected.sha256()
        assert images.origin == str(tmp_path / "a.tar.gz")
        assert list(tmp_path.iterdir()) == [tmp_path / "a.tar.gz"]

    def test_published_form_of_version_2(self, tmp_path: Path) -> None:
        for number, name in enumerate(("train_batch", "test_batch")):
            names = ["SDSS J121519.19+472142.4_I.png", "3C 207_II.png"]
            rewrite(tmp_path, name, number, filenames=[f"{number}{n}" for n in names])
        meta = {"label_names": ["FR I", "FR II"], "num_vis": 22500}
        (tmp_path / "batches.meta").write_bytes(published_pickle(meta))
        images = read_frdeep(tmp_path)
        assert images.sources[:2] == ("0SDSS J121519.19+472142.4_I", "03C 207_II")
        assert [image.split for image in images] == ["train", "train", "test", "test"]
        assert [image.class_name for image in images] == ["FR I", "FR II"] * 2

    @pytest.mark.parametrize("n_train", [1, 3])
    def test_any_number_of_batches(self, tmp_path: Path, n_train: int) -> None:
        write_frdeep(tmp_path, n_train=n_train, names=None)
        assert len(read_frdeep(tmp_path)) == 2 * (n_train + 1)
        (tmp_path / "test_batch").unlink()
        images = read_frdeep(tmp_path)
        assert {image.split for image in images} == {"train"}
        assert len(images) == 2 * n_train

    def test_gaps_are_named(self, folder: Path) -> None:
        for number in (2, 3):
            (folder / f"data_batch_{number}").unlink()
        with pytest.warns(AttnxaiWarning, match="but not those with the numbers 2, 3$"):
            assert len(read_frdeep(folder)) == 20

    def test_one_array_for_all_images(self, folder: Path) -> None:
        expected = read_frdeep(folder)
        stack = np.stack([pixels_of(0), pixels_of(1)])
        for data in (stack, stack.reshape(2, -1), stack[:, None], stack[..., None].astype("i8")):
            rewrite(folder, "data_batch_1", 0, data=data)
            assert read_frdeep(folder).sha256() == expected.sha256()

    def test_images_of_another_size(self, folder: Path) -> None:
        small = pixels_of(0)[50:80, 30:60]
        rewrite(folder, "data_batch_1", 0, data=[small.ravel(), small[:20]])
        images = read_frdeep(folder)
        np.testing.assert_array_equal(images[0].pixels, small)
        np.testing.assert_array_equal(images[1].pixels, small[:20])

    def test_batches_of_python_2(self, folder: Path) -> None:
        expected = read_frdeep(folder)
        (folder / "data_batch_1").write_bytes(python_2_pickle(batch_of(0)))
        images = read_frdeep(folder)
        assert images.sources == expected.sources
        assert images.sha256() == expected.sha256()

    def test_batches_without_file_names(self, folder: Path) -> None:
        rewrite(folder, "data_batch_3", 2, filenames=None)
        sources = read_frdeep(folder).sources
        assert sources[4:6] == ("data_batch_3_0000", "data_batch_3_0001")

    def test_pixel_scale_may_be_stated(self, folder: Path) -> None:
        images = read_frdeep(folder, pixel_scale_arcsec=5.0)
        assert {image.grid.pixel_scale_arcsec for image in images} == {5.0}
        with pytest.raises(OptionError, match="pixel_scale_arcsec has to be above 0, got -1"):
            read_frdeep(folder, pixel_scale_arcsec=-1)

    def test_blank_images_are_left_out_with_a_warning(self, folder: Path) -> None:
        rewrite(folder, "data_batch_2", 1, data=[np.zeros(22500, np.uint8), pixels_of(3)])
        with pytest.warns(AttnxaiWarning, match="1 of 24 images .* left out: 2_FRICAT_FR1$"):
            images = read_frdeep(folder)
        assert len(images) == 23
        assert "2_FRICAT_FR1" not in images.sources

    def test_nothing_but_blank_images(self, tmp_path: Path) -> None:
        write_frdeep(tmp_path, data=np.zeros((2, 22500), np.uint8))
        with (
            pytest.warns(AttnxaiWarning, match="24 of 24 images .* and 14 more"),
            pytest.raises(DataSetError, match="hold no image that can be used"),
        ):
            read_frdeep(tmp_path)


class TestClassNames:
    @pytest.mark.parametrize("names", [("FRI", "FRII"), ("FR1", "fr2"), ("FR I", "FR II"), None])
    def test_every_spelling(self, tmp_path: Path, names: Any) -> None:
        write_frdeep(tmp_path, names=names)
        assert [image.class_name for image in read_frdeep(tmp_path)[:2]] == ["FR I", "FR II"]

    def test_other_classes_in_another_order(self, tmp_path: Path) -> None:
        write_frdeep(tmp_path, names=["FRII", "bent", "FRI"], size=3, labels=[0, 1, 2])
        classes = [image.class_name for image in read_frdeep(tmp_path)[:3]]
        assert classes == ["FR II", "bent", "FR I"]

    @pytest.mark.parametrize(
        "meta",
        [
            {"label_names": ["FR I"]},
            {"label_names": ["FR I", "FRI"]},
            {"label_names": "FR I, FR II"},
            {"label_names": ["FR I", 2]},
            {"label_names": ["FR I", " "]},
            {"num_vis": 22500},
            ["FR I", "FR II"],
        ],
    )
    def test_what_names_no_classes(self, folder: Path, meta: Any) -> None:
        (folder / "batches.meta").write_bytes(published_pickle(meta))
        with pytest.raises(DataSetError, match=r"batches\.meta of .* should (hold|name)"):
            read_frdeep(folder)

    @pytest.mark.parametrize("name", ["batches.meta", "data_batch_7", "test_batch"])
    def test_malicious_files_are_refused(self, folder: Path, tmp_path: Path, name: str) -> None:
        attack = pickle.dumps(Calls(os.system, f"echo run > {tmp_path / 'trace'}"), protocol=2)
        (folder / name).write_bytes(attack)
        write_archive(tmp_path / "a.tar.gz", folder)
        for path in (folder, tmp_path / "a.tar.gz"):
            with pytest.raises(DataSetError, match=f"{name} of .* was refused: it asks for posix"):
                read_frdeep(path)
        assert not (tmp_path / "trace").exists()

    @pytest.mark.parametrize("label", [2, 9, -1, "FR I", None])
    def test_unknown_labels(self, folder: Path, label: Any) -> None:
        rewrite(folder, "data_batch_5", 4, labels=[0, label])
        with pytest.raises(
            DataSetError, match=rf"data_batch_5 .* label {label!r}; .* 0 to 1 \(batches\.meta of"
        ):
            read_frdeep(folder)
        (folder / "batches.meta").unlink()
        with pytest.raises(DataSetError, match=r"0 to 1 \(FR I, FR II\), .*--images mirabest"):
            read_frdeep(folder)


class TestRefused:
    @pytest.mark.parametrize("with_meta", [True, False])
    def test_mirabest_is_read_by_its_name(self, tmp_path: Path, with_meta: bool) -> None:
        mirabest_files.write_batches(tmp_path)
        if with_meta:
            codes = ["100", "102", "104", "110", "112", "200", "201", "210", "300", "310"]
            (tmp_path / "batches.meta").write_bytes(published_pickle({"label_names": codes}))
        with pytest.raises(
            DataSetError,
            match=r"batches of MiraBest; use 'mirabest' as images .* data_dir",
        ):
            read_frdeep(tmp_path)

    def test_source_twice(self, folder: Path) -> None:
        rewrite(folder, "test_batch", 0)
        with pytest.raises(
            DataSetError, match="an image 0_FRICAT_FR1 in data_batch_1 and in test_batch; copies"
        ):
            read_frdeep(folder)

    @pytest.mark.parametrize(
        "data",
        [
            np.zeros((150, 150, 3), np.uint8),
            np.zeros(3072, np.uint8),
            np.zeros((150, 150)),
            np.zeros(22500, bool),
            np.zeros((0, 0), np.uint8),
            np.uint8(3),
            "text",
            None,
            [[1, 2], [3]],
        ],
        ids=str,
    )
    def test_what_is_no_image(self, folder: Path, data: Any) -> None:
        rewrite(folder, "data_batch_4", 3, data=[data, pixels_of(7)])
        with pytest.raises(DataSetError, match="image 6_FRICAT_FR1 in batch data_batch_4 of"):
            read_frdeep(folder)

    @pytest.mark.parametrize("value", [-1, 256])
    def test_more_than_8_bits(self, folder: Path, value: int) -> None:
        pixels = pixels_of(6).astype(np.int16)
        pixels[3, 3] = value
        rewrite(folder, "data_batch_4", 3, data=[pixels, pixels_of(7)])
        with pytest.raises(DataSetError, match="8-bit numbers run from 0 to 255"):
            read_frdeep(folder)

    @pytest.mark.parametrize("name", [3, None, "", "folder/", b"a.png"])
    def test_what_is_no_file_name(self, folder: Path, name: Any) -> None:
        rewrite(folder, "data_batch_4", 3, filenames=["a.png", name])
        with pytest.raises(DataSetError, match=r"data_batch_4 .* has the file name .* are text"):
            read_frdeep(folder)

    def test_nothing_there(self, tmp_path: Path) -> None:
        with pytest.raises(DataSetError, match=r"gone does not exist"):
            read_frdeep(tmp_path / "gone")
        with pytest.raises(DataSetError, match=r"holds no batches: give a folder of data_batch_1"):
            read_frdeep(tmp_path)


class TestReleases:
    @pytest.fixture
    def published(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Release:
        """Makes the folder count as a published release."""
        md5s = {
            hashlib.md5(file.read_bytes(), usedforsecurity=False).hexdigest()
            for file in folder.iterdir()
            if file.name != "batches.meta"
        }
        release = Release(name="FR-DEEP (test)", pixel_scale_arcsec=15.0, md5s=frozenset(md5s))
        monkeypatch.setattr(frdeep, "RELEASES", (*RELEASES, release))
        return release

    def test_checksums_tell_release_and_pixel_scale(self, folder: Path, published: Release) -> None:
        files = find_batches(folder)
        assert files is not None
        assert published_release(files) is published
        for scale in (None, 3.0):
            images = read_frdeep(folder, pixel_scale_arcsec=scale)
            assert {image.grid.pixel_scale_arcsec for image in images} == {15.0}

    def test_one_other_batch_makes_another_data_set(self, folder: Path, published: Release) -> None:
        rewrite(folder, "data_batch_6", 5, batch_label="mine")
        files = find_batches(folder)
        assert files is not None
        assert published_release(files) is None
        assert read_frdeep(folder)[0].grid.pixel_scale_arcsec is None

    def test_published_checksums(self) -> None:
        scales = {"FIRST": 1.8, "NVSS": 15.0}
        every = [md5 for release in RELEASES for md5 in release.md5s]
        assert len(set(every)) == len(every) == 2 * 12 + 2 * 2
        assert all(len(bytes.fromhex(md5)) == 16 for md5 in every)
        for release in RELEASES:
            (survey,) = (name for name in scales if name in release.name)
            assert release.pixel_scale_arcsec == scales[survey]


@pytest.mark.parametrize(
    "names", [np.array("FR I"), np.ones(2), [], "FR I", [["FR I"]], {"a": 1}, ["a\x1b"] * 2]
)
def test_class_names_that_are_none(tmp_path: Path, names: Any) -> None:
    (tmp_path / "data_batch_1").write_bytes(SMALL[0])
    (tmp_path / "batches.meta").write_bytes(published_pickle({"label_names": names}))
    with pytest.raises(DataSetError, match=r"batches\.meta of .* should"):
        read_frdeep(tmp_path)


SMALL = [
    published_pickle(
        {"labels": labels, "data": data, "filenames": names, "batch_label": "a"}, protocol=2
    )
    for labels, data, names in (
        ([0, 1], [np.arange(16, dtype=np.uint8)] * 2, ["a.png", "b.png"]),
        (np.array([0, 1]), np.arange(32).reshape(2, 16), np.array(["a", "b"])),
        ([1], [[[0, 1], [2, 3]]], ["100_142.745+003.808_0.0890_0212.98.png"]),
    )
]


def read_folder(path: Path) -> None:
    read_frdeep(path.parent)


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_batch(effort: int) -> None:
    files = rearranged(SMALL)
    fuzz(read_folder, files, file_name="data_batch_1", examples=200 * effort, allowance=64 << 20)


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_meta(effort: int, tmp_path: Path) -> None:
    def read_meta(path: Path) -> None:
        (path.parent / "data_batch_1").write_bytes(SMALL[0])
        read_frdeep(path.parent)

    valid = [published_pickle({"label_names": ["FR I", "FR II"], "num_vis": 22500}, protocol=2)]
    files = rearranged(valid)
    fuzz(read_meta, files, file_name="batches.meta", examples=60 * effort, allowance=64 << 20)
