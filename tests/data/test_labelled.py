"""Images to train on, of every kind."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from astropy.io import fits
from PIL import Image

from attnxai.data import frdeep, mirabest
from attnxai.data.classes import Confidence
from attnxai.data.frdeep import Release
from attnxai.data.images import SourceImage, SourceSet, from_array
from attnxai.data.labelled import (
    LabelledData,
    read_labelled_folder,
    read_training_images,
    recognised_batches,
)
from attnxai.data.mirabest import read_mirabest
from attnxai.errors import AssumptionWarning, AttnxaiWarning, DataSetError, ImageError, OptionError
from tests.data.frdeep_files import write_archive, write_frdeep
from tests.data.mirabest_files import write_batches
from tests.data.skies import make_wcs

TABLE = "source,class\na,FRI\nb,FRII\nc.1,fr-2\n"


def values_of(number: int) -> Any:
    return np.random.default_rng(number).integers(0, 256, (12, 17), dtype=np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """One image of every format, and things that are none."""
    root = tmp_path / "images"
    (root / "more.png").mkdir(parents=True)
    (root / "notes.txt").write_text("not an image", encoding="utf-8")
    Image.fromarray(values_of(0)).save(root / "a.png")
    np.save(root / "b.npy", values_of(1).astype(np.float32))
    header = make_wcs((12, 17), pixel_arcsec=1.25).to_header()
    fits.writeto(root / "c.1.fits.gz", values_of(2).astype(np.float32), header)
    return root


def write_table(folder: Path, text: str = TABLE, name: str = "labels.csv") -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


class TestLabelledFolder:
    def test_every_format(self, folder: Path) -> None:
        images = read_labelled_folder(folder, write_table(folder))
        assert images.sources == ("a", "b", "c.1")
        assert [image.class_name for image in images] == ["FR I", "FR II", "FR II"]
        assert [image.prepared for image in images] == [True, False, False]
        assert {image.split for image in images} == {None}
        for number, image in enumerate(images):
            np.testing.assert_array_equal(image.pixels, values_of(number))
        assert images.origin == str(folder)

    def test_split_and_order(self, folder: Path) -> None:
        text = "image,label,split\nc.1.fits,WAT,test\nb.png,x,validation\na,x,train\n"
        text = text.replace("b.png,x", "b.png,WAT").replace("c.1.fits,WAT", "c.1.fits,x")
        with pytest.raises(DataSetError, match="no training images of class 'WAT'"):
            read_labelled_folder(folder, write_table(folder, text))
        Image.fromarray(values_of(3)).save(folder / "d.png")
        images = read_labelled_folder(folder, write_table(folder, text + "d,WAT,train\n"))
        assert images.sources == ("a", "b", "c.1", "d")
        assert [image.split for image in images] == ["train", "validation", "test", "train"]
        assert [image.class_name for image in images] == ["x", "WAT", "x", "WAT"]

    def test_options_reach_every_image(self, folder: Path) -> None:
        blank = values_of(1).astype(np.float32)
        blank[3, 4] = np.nan
        np.save(folder / "b.npy", blank)
        table = write_table(folder)
        with pytest.raises(ImageError, match=r"b\.npy has 1 of 204 pixels that are NaN"):
            read_labelled_folder(folder, table)
        with pytest.warns(AssumptionWarning, match="1.25 arcsec, which is used"):
            images = read_labelled_folder(
                folder, table, fill_blank=True, prepared=True, pixel_scale_arcsec=5.0
            )
        assert images["b"].footprint is not None
        assert all(image.prepared for image in images)
        scales = [image.grid.pixel_scale_arcsec for image in images]
        assert scales == pytest.approx([5.0, 5.0, 1.25])

    def test_rows_without_image(self, folder: Path) -> None:
        table = write_table(folder, TABLE + "d,FRI\ne,FRI\n")
        with pytest.raises(DataSetError) as caught:
            read_labelled_folder(folder, table)
        lines = str(caught.value).splitlines()
        assert lines[0].startswith("2 of 5 sources of label table")
        assert lines[1:] == ["  line 5: d", "  line 6: e"]

    def test_images_without_row(self, folder: Path) -> None:
        for number in range(7):
            Image.fromarray(values_of(number)).save(folder / f"x{number}.png")
        with pytest.warns(
            AttnxaiWarning, match=r"7 of 10 images .* left out: x0\.png, .*x4\.png and 2 more"
        ):
            images = read_labelled_folder(folder, write_table(folder))
        assert images.sources == ("a", "b", "c.1")

    def test_two_images_for_one_row(self, folder: Path) -> None:
        np.save(folder / "a.npy", values_of(5))
        with pytest.raises(
            DataSetError, match=r"line 2 of label table .* may mean a\.npy or a\.png in"
        ):
            read_labelled_folder(folder, write_table(folder))

    def test_every_bad_image_is_named(self, folder: Path) -> None:
        np.save(folder / "b.npy", np.zeros((12, 17)))
        (folder / "a.png").write_bytes(b"damaged")
        with pytest.raises(ImageError, match=r"(?s)2 images cannot be used.*a\.png.*b\.npy"):
            read_labelled_folder(folder, write_table(folder))

    def test_one_class_only(self, folder: Path) -> None:
        table = write_table(folder, "source,class\na,FRI\nb,FR1\nc.1,fr-1\n")
        with pytest.raises(DataSetError, match="has only one class, 'FR I'"):
            read_labelled_folder(folder, table)

    def test_no_folder_and_no_images(self, folder: Path, tmp_path: Path) -> None:
        table = write_table(folder)
        with pytest.raises(
            DataSetError, match=r"a\.png is not a folder; a table of labels goes with"
        ):
            read_labelled_folder(folder / "a.png", table)
        (tmp_path / "empty").mkdir()
        with pytest.raises(ImageError, match="empty holds no images"):
            read_labelled_folder(tmp_path / "empty", table)

    @pytest.mark.parametrize("scale", [0.0, -1.0, float("nan"), float("inf")])
    def test_pixel_scale_that_is_no_length(self, folder: Path, scale: float) -> None:
        with pytest.raises(OptionError, match="pixel_scale_arcsec has to be above 0"):
            read_labelled_folder(folder, write_table(folder), pixel_scale_arcsec=scale)


class TestMirabest:
    @pytest.mark.parametrize(
        ("options", "name", "classes"),
        [
            ({}, "MiraBest", ("FR I", "FR II")),
            ({"hybrids": True}, "MiraBest (with hybrids)", ("FR I", "FR II", "hybrid")),
            ({"confidence": Confidence.CONFIDENT}, "MiraBest (confident)", ("FR I", "FR II")),
            (
                {"confidence": Confidence.UNCERTAIN, "hybrids": True},
                "MiraBest (uncertain, with hybrids)",
                ("FR I", "FR II", "hybrid"),
            ),
        ],
    )
    def test_selections(
        self, mirabest_folder: Path, options: Any, name: str, classes: tuple[str, ...]
    ) -> None:
        data = read_training_images("MiraBest", data_dir=mirabest_folder, **options)
        assert data.name == name
        assert data.class_names == classes
        assert data.citation == mirabest.CITATION
        assert data.licence == "CC BY 4.0"
        assert data.images.sources == read_mirabest(mirabest_folder, **options).sources
        assert {image.split for image in data.images} == {"train", "test"}

    @pytest.mark.parametrize(
        ("option", "value"), [("labels", "labels.csv"), ("pixel_scale_arcsec", 1.8)]
    )
    def test_options_of_others(self, mirabest_folder: Path, option: str, value: Any) -> None:
        text = f"{option} does not belong to the images 'mirabest'"
        with pytest.raises(OptionError, match=text):
            read_training_images("mirabest", data_dir=mirabest_folder, **{option: value})

    def test_its_batches_are_read_by_its_name(self, mirabest_folder: Path) -> None:
        with pytest.raises(
            DataSetError, match="use 'mirabest' as images and this folder as data_dir"
        ):
            read_training_images(mirabest_folder)


class TestBatches:
    def test_folder_and_archive(self, tmp_path: Path) -> None:
        write_frdeep(tmp_path / "mine", n_train=2)
        write_archive(tmp_path / "mine.tar.gz", tmp_path / "mine")
        for path in (tmp_path / "mine", str(tmp_path / "mine.tar.gz")):
            data = read_training_images(path, pixel_scale_arcsec=4.0, licence="CC0")
            assert len(data.images) == 6
            assert [image.split for image in data.images] == ["train"] * 4 + ["test"] * 2
            assert data.class_names == ("FR I", "FR II")
            assert data.name == Path(path).name
            assert (data.citation, data.licence) == ("", "CC0")
            assert data.images[0].grid.pixel_scale_arcsec == 4.0

    def test_published_release(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_frdeep(tmp_path, n_train=1)
        release = Release(name="FR-DEEP (FIRST)", pixel_scale_arcsec=1.8, md5s=frozenset())
        monkeypatch.setattr(frdeep, "published_release", lambda files: release)
        data = read_training_images(tmp_path)
        assert data.name == "FR-DEEP (FIRST)"
        assert data.citation == frdeep.CITATION
        assert data.licence == ""
        assert data.images[0].grid.pixel_scale_arcsec == 1.8
        assert read_training_images(tmp_path, citation="mine").citation == "mine"

    @pytest.mark.parametrize(
        ("option", "value"),
        [("data_dir", "data"), ("hybrids", True), ("confidence", Confidence.CONFIDENT)],
    )
    def test_options_of_mirabest(self, tmp_path: Path, option: str, value: Any) -> None:
        write_frdeep(tmp_path, n_train=1)
        with pytest.raises(OptionError, match=f"{option} does not belong to the images"):
            read_training_images(tmp_path, **{option: value})


class TestRecognition:
    def test_folder_of_batches_or_with_one_and_archive(self, tmp_path: Path) -> None:
        write_frdeep(tmp_path / "mine", n_train=1)
        write_archive(tmp_path / "mine.tar.gz", tmp_path / "mine")
        for path in (tmp_path / "mine", tmp_path, str(tmp_path / "mine.tar.gz")):
            files = recognised_batches(path)
            assert files is not None
            assert list(files.batches) == ["data_batch_1", "test_batch"]

    def test_what_stands_for_no_batches(self, folder: Path, tmp_path: Path) -> None:
        for path in (folder, folder / "a.png", folder / "more.png", tmp_path / "gone", "mirabest"):
            assert recognised_batches(path) is None

    def test_images_go_before_batches_within_and_after_batches_beside(self, folder: Path) -> None:
        write_frdeep(folder / "one", n_train=1)
        write_frdeep(folder / "other", n_train=1)
        assert recognised_batches(folder) is None
        with pytest.raises(DataSetError, match="holds no labelled images; images to train on are"):
            read_training_images(folder)
        write_frdeep(folder, n_train=1)
        files = recognised_batches(folder)
        assert files is not None
        assert files.origin == folder
        assert len(read_training_images(folder).images) == 4

    def test_a_table_of_labels_goes_before_batches(self, folder: Path) -> None:
        write_frdeep(folder, n_train=1)
        write_table(folder)
        assert recognised_batches(folder) is None
        assert read_training_images(folder).images.sources == ("a", "b", "c.1")


class TestFolders:
    def test_table_that_is_named_or_lies_within(self, folder: Path, tmp_path: Path) -> None:
        write_table(folder, TABLE.replace("FRII", "WAT"), name="others.csv")
        write_table(folder)
        data = read_training_images(str(folder), citation="me (2026)", licence="CC BY 4.0")
        assert data.class_names == ("FR I", "FR II")
        assert (data.citation, data.licence) == ("me (2026)", "CC BY 4.0")
        assert data.name == "images"
        assert data.images.sources == ("a", "b", "c.1")
        other = read_training_images(folder, labels=folder / "others.csv", fill_blank=True)
        assert other.class_names == ("FR I", "FR II", "WAT")
        assert (other.citation, other.licence) == ("", "")

    def test_name_of_the_folder_one_is_in(
        self, folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write_table(folder)
        monkeypatch.chdir(folder)
        assert read_training_images(".").name == "images"

    def test_options_reach_the_images(self, folder: Path) -> None:
        write_table(folder)
        with pytest.warns(AssumptionWarning, match="1.25 arcsec, which is used"):
            data = read_training_images(folder, prepared=True, pixel_scale_arcsec=3.0)
        assert all(image.prepared for image in data.images)
        assert data.images["a"].grid.pixel_scale_arcsec == 3.0
        with pytest.raises(OptionError, match="above 0, got -3"):
            read_training_images(folder, pixel_scale_arcsec=-3.0)

    def test_labels_do_not_go_with_an_archive(self, tmp_path: Path, folder: Path) -> None:
        write_frdeep(tmp_path / "mine", n_train=1)
        write_archive(tmp_path / "mine.tar.gz", tmp_path / "mine")
        with pytest.raises(DataSetError, match=r"mine\.tar\.gz is not a folder; a table of labels"):
            read_training_images(tmp_path / "mine.tar.gz", labels=write_table(folder))


class TestNothingLabelled:
    @pytest.mark.parametrize("kind", ["missing", "folder", "file"])
    def test_the_three_kinds_are_listed(self, folder: Path, kind: str) -> None:
        path = {"missing": folder / "x", "folder": folder, "file": folder / "a.png"}[kind]
        reason = "does not exist" if kind == "missing" else "holds no labelled images"
        with pytest.raises(
            DataSetError,
            match=rf"{reason}; images to train on are 'mirabest', a folder or .* archive of batches "
            r"\(data_batch_1, \.\.\.\), or a folder of images with a table of labels \(--labels",
        ):
            read_training_images(path)


class TestLabelledData:
    def images(self, *classes: str | None) -> SourceSet:
        made: list[SourceImage] = [
            from_array(values_of(n), source=str(n), class_name=name)
            for n, name in enumerate(classes)
        ]
        return SourceSet(made)

    def made(self, images: SourceSet, *names: str) -> LabelledData:
        return LabelledData(images=images, class_names=names, citation="", licence="", name="mine")

    def test_good(self) -> None:
        data = self.made(self.images("x", "y", "x"), "y", "x")
        assert data.class_names == ("y", "x")
        with pytest.raises(AttributeError):
            data.name = "other"  # type: ignore[misc]

    @pytest.mark.parametrize("names", [(), ("x",), ("x", "x")])
    def test_too_few_classes(self, names: tuple[str, ...]) -> None:
        with pytest.raises(DataSetError, match=r"mine has the classes .*; a classifier needs two"):
            self.made(self.images("x"), *names)

    @pytest.mark.parametrize("name", [None, "z"])
    def test_image_without_one_of_the_classes(self, name: str | None) -> None:
        with pytest.raises(
            DataSetError, match=f"image 1 of mine has class {name!r}; its classes are"
        ):
            self.made(self.images("x", name), "x", "y")


def test_mirabest_in_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_batches(tmp_path)
    monkeypatch.setenv(mirabest.DATA_DIR_VARIABLE, str(tmp_path))
    with pytest.warns(AttnxaiWarning, match="positions come from the file names"):
        assert len(read_training_images("mirabest").images) == 20
