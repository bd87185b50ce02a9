from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from attnxai.annotations.inputs import read_inputs
from attnxai.data import frdeep
from attnxai.data.labelled import read_training_images
from attnxai.data.mirabest import CITATION
from attnxai.errors import (
    AnnotationError,
    AssumptionWarning,
    DataSetError,
    ImageError,
    OptionError,
)
from tests.data.frdeep_files import write_archive, write_frdeep
from tests.data.mirabest_files import filename_of, labels_of, write_batches, write_wcs_table

HEADER = "source,annotator,shape,x,y,label,image"
CATALOGUE_HEADER = "catalog_id,first_id,num_cpnts,num_peaks,cpnts_ras,cpnts_decs,cl"
WriteTable = Callable[..., Path]


def save(folder: Path, *names: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name in names:
        np.save(folder / f"{name}.npy", np.random.default_rng(len(name)).normal(size=(9, 9)))
    return folder


def rows(*sources: str, image: str = "") -> list[str]:
    return [HEADER, *(f"{s},ann,point,3,4,core,{image.format(s)}" for s in sources)]


class TestImageColumn:
    def test_images_are_relative_to_the_table(
        self, tmp_path: Path, write_table: WriteTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save(tmp_path / "cutouts", "b", "a", "unused")
        path = write_table(*rows("b", "a", image="cutouts/{}.npy"))
        monkeypatch.chdir(tmp_path / "cutouts")
        inputs = read_inputs(path)
        assert inputs.images.sources == ("a", "b")
        assert inputs.annotations.sources == ("b", "a")
        assert inputs.images.origin == str(tmp_path)
        assert inputs.data_name == "table.csv"
        assert inputs.notes == ()

    def test_an_image_may_have_another_name_than_its_source(
        self, tmp_path: Path, write_table: WriteTable
    ) -> None:
        save(tmp_path, "cutout_17")
        inputs = read_inputs(write_table(*rows("J1.5", image="cutout_17.npy")))
        assert inputs.images.sources == ("J1.5",)
        assert inputs.images["J1.5"].path == str(tmp_path / "cutout_17.npy")

    def test_source_may_be_the_image(self, tmp_path: Path, write_table: WriteTable) -> None:
        save(tmp_path / "cutouts", "J1.5")
        inputs = read_inputs(write_table(*rows("cutouts/J1.5.npy")))
        assert inputs.images.sources == ("J1.5",)

    def test_all_missing_images_are_named(self, tmp_path: Path, write_table: WriteTable) -> None:
        save(tmp_path, "a")
        path = write_table(*rows("a", "b", "c", image="{}.npy"))
        with pytest.raises(ImageError) as caught:
            read_inputs(path)
        assert str(caught.value) == (
            f"2 of 3 images that the column image of {path} names do not exist: {tmp_path / 'b.npy'}, "
            f"{tmp_path / 'c.npy'}; correct the column, whose paths are relative to the folder of the table, or "
            "name the folder of the images"
        )

    def test_sources_that_name_no_image(self, write_table: WriteTable) -> None:
        path = write_table(*rows("a", image="{}.npy"), *rows("b", "c")[1:])
        with pytest.raises(
            AnnotationError, match=r"2 of 3 sources of .* name no image, such as 'b'"
        ):
            read_inputs(path)

    def test_options_reach_the_reader(self, tmp_path: Path, write_table: WriteTable) -> None:
        pixels = np.arange(81.0).reshape(9, 9)
        pixels[4, 4] = np.nan
        np.save(tmp_path / "a.npy", pixels)
        path = write_table(*rows("a", image="{}.npy"))
        with pytest.raises(ImageError, match="1 of 81 pixels"):
            read_inputs(path)
        image = read_inputs(path, fill_blank=True, prepared=True).images[0]
        assert image.footprint is not None
        assert image.prepared
        with pytest.warns(AssumptionWarning, match=r"a.npy: not smoothed .* states no beam"):
            image = read_inputs(path, fill_blank=True, pad=True, match_beam=True).images[0]
        assert image.pad
        assert image.match_beam


class TestFolder:
    def test_only_annotated_files_are_read(self, tmp_path: Path, write_table: WriteTable) -> None:
        folder = save(tmp_path / "survey", "a", "b.5")
        (folder / "broken.fits").write_bytes(b"not an image")
        (folder / "b.5.fits").mkdir()
        inputs = read_inputs(write_table(*rows("b.5", "a")), folder)
        assert inputs.images.sources == ("a", "b.5")
        assert inputs.images.origin == str(folder)
        assert inputs.data_name == str(folder)

    def test_folder_goes_before_the_image_column(
        self, tmp_path: Path, write_table: WriteTable
    ) -> None:
        folder = save(tmp_path / "survey", "a")
        inputs = read_inputs(write_table(*rows("a", image="gone/{}.npy")), folder)
        assert inputs.images["a"].path == str(folder / "a.npy")

    def test_broken_files_of_annotated_sources_are_reported(
        self, tmp_path: Path, write_table: WriteTable
    ) -> None:
        folder = save(tmp_path / "survey", "a")
        (folder / "b.fits").write_bytes(b"not an image")
        with pytest.raises(ImageError, match=r"b\.fits is a text, which is not read"):
            read_inputs(write_table(*rows("a", "b")), folder)

    def test_sources_without_image_are_left_to_the_alignment(
        self, tmp_path: Path, write_table: WriteTable
    ) -> None:
        inputs = read_inputs(write_table(*rows("a", "b")), save(tmp_path / "survey", "a"))
        assert inputs.images.sources == ("a",)
        assert inputs.annotations.sources == ("a", "b")

    def test_nothing_in_common(self, tmp_path: Path, write_table: WriteTable) -> None:
        folder = save(tmp_path / "survey", "x", "y")
        (folder / "z.fits").write_bytes(b"not an image")
        with pytest.raises(AnnotationError) as caught:
            read_inputs(write_table(*rows("a", "b")), folder)
        text = str(caught.value)
        assert "none of the 2 sources in " in text
        assert "(such as 'a')" in text
        assert f"is among the 3 images of {folder} (such as 'x')" in text

    def test_two_files_of_one_source(self, tmp_path: Path, write_table: WriteTable) -> None:
        folder = save(tmp_path / "survey", "a")
        values = np.arange(81, dtype=np.uint8).reshape(9, 9)
        Image.fromarray(values).save(folder / "a.png")
        with pytest.raises(ImageError, match="two images have the source id 'a'"):
            read_inputs(write_table(*rows("a")), folder)

    def test_folder_without_images(self, tmp_path: Path, write_table: WriteTable) -> None:
        (tmp_path / "empty").mkdir()
        with pytest.raises(ImageError, match="holds no images"):
            read_inputs(write_table(*rows("a")), tmp_path / "empty")

    def test_folder_that_does_not_exist(self, tmp_path: Path, write_table: WriteTable) -> None:
        with pytest.raises(ImageError, match=r"images '.*gone' is neither a file nor a folder"):
            read_inputs(write_table(*rows("a")), tmp_path / "gone")


class TestOneImage:
    def test_one_image(self, tmp_path: Path, write_table: WriteTable) -> None:
        folder = save(tmp_path / "survey", "a", "b")
        inputs = read_inputs(write_table(*rows("a")), folder / "a.npy")
        assert inputs.images.sources == ("a",)

    def test_of_another_source(self, tmp_path: Path, write_table: WriteTable) -> None:
        folder = save(tmp_path / "survey", "a", "b")
        with pytest.raises(
            AnnotationError, match=r"is among the 1 images of .*b\.npy \(such as 'b'"
        ):
            read_inputs(write_table(*rows("a")), folder / "b.npy")

    def test_bad_rows_are_reported_as_ever(self, tmp_path: Path, write_table: WriteTable) -> None:
        folder = save(tmp_path / "survey", "a")
        path = write_table(*rows("a"), "a,ann,point,x,4,core,")
        with pytest.raises(AnnotationError, match="line 3, column x: 'x' is not a number"):
            read_inputs(path, folder / "a.npy")


class TestBatches:
    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        write_frdeep(tmp_path / "mine", n_train=2)
        return tmp_path / "mine"

    def test_class_and_split_come_along(
        self, folder: Path, tmp_path: Path, write_table: WriteTable
    ) -> None:
        table = write_table(*rows("5_CoNFIG_FR2", "0_FRICAT_FR1.png", "3_CoNFIG_FR2"))
        write_archive(tmp_path / "mine.tar.gz", folder)
        trained_on = read_training_images(folder).images
        for images in (folder, str(tmp_path / "mine.tar.gz")):
            inputs = read_inputs(table, images, pixel_scale_arcsec=4.0)
            assert inputs.images.sources == ("0_FRICAT_FR1", "3_CoNFIG_FR2", "5_CoNFIG_FR2")
            assert [image.class_name for image in inputs.images] == ["FR I", "FR II", "FR II"]
            assert [image.split for image in inputs.images] == ["train", "train", "test"]
            assert {image.grid.pixel_scale_arcsec for image in inputs.images} == {4.0}
            assert all(image.prepared for image in inputs.images)
            assert inputs.data_name == str(images)
            assert inputs.images.sha256() == trained_on.select(inputs.images.sources).sha256()

    def test_published_release(
        self, folder: Path, write_table: WriteTable, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        release = frdeep.Release(name="FR-DEEP (NVSS)", pixel_scale_arcsec=15.0, md5s=frozenset())
        monkeypatch.setattr(frdeep, "published_release", lambda files: release)
        inputs = read_inputs(write_table(*rows("0_FRICAT_FR1")), folder)
        assert inputs.data_name == f"FR-DEEP (NVSS); {frdeep.CITATION}"
        assert inputs.images[0].grid.pixel_scale_arcsec == 15.0

    def test_images_of_a_folder_go_before_batches_within_it(
        self, folder: Path, tmp_path: Path, write_table: WriteTable
    ) -> None:
        table = write_table(*rows("a"))
        save(tmp_path, "a")
        assert read_inputs(table, tmp_path).images.sources == ("a",)

    def test_nothing_in_common(self, folder: Path, write_table: WriteTable) -> None:
        with pytest.raises(AnnotationError, match=r"among the 6 images of .*mine \(such as '0_FRI"):
            read_inputs(write_table(*rows("a", "b")), folder)

    def test_catalogue_needs_positions(self, folder: Path, write_table: WriteTable) -> None:
        line = "1,F,2,2,150.0;150.001,30.01;30.01,0.75"
        path = write_table(CATALOGUE_HEADER, line, name="catalogue.csv")
        with pytest.raises(AnnotationError, match="none of the 6 images has celestial coordinates"):
            read_inputs(path, folder)

    def test_options(self, folder: Path, write_table: WriteTable) -> None:
        table = write_table(*rows("0_FRICAT_FR1"))
        assert read_inputs(table, folder, pad=True).images[0].pad
        with pytest.warns(AssumptionWarning, match="not smoothed .* it is prepared"):
            assert read_inputs(table, folder, match_beam=True).images[0].match_beam
        with pytest.raises(OptionError, match="hdu does not belong to the images"):
            read_inputs(table, folder, hdu=1)

    def test_batches_of_mirabest(self, tmp_path: Path, write_table: WriteTable) -> None:
        write_batches(tmp_path / "batches")
        with pytest.raises(DataSetError, match=r"use 'mirabest' as images .* data_dir$"):
            read_inputs(write_table(*rows("a")), tmp_path / "batches")

    def test_damaged_archive(self, tmp_path: Path, write_table: WriteTable) -> None:
        (tmp_path / "a.tar.gz").write_bytes(b"\x1f\x8bnothing")
        with pytest.raises(DataSetError, match="cannot be read, it may be truncated"):
            read_inputs(write_table(*rows("a")), tmp_path / "a.tar.gz")


class TestCatalogue:
    @pytest.fixture
    def path(self, write_table: WriteTable) -> Path:
        return write_table(
            CATALOGUE_HEADER,
            "1,F,2,2,150.0;150.001,30.01;30.01,0.75",
            "2,F,1,1,150.1,30.11,0.5",
            "3,F,2,2,10.0;10.0,10.0;10.0,0.5",
            # the hybrid of the second batch
            "4,F,2,2,150.5;150.5,30.51;30.51,0.5",
            name="catalogue.csv",
        )

    def test_needs_images(self, path: Path) -> None:
        with pytest.raises(
            AnnotationError, match=r"lists positions on the sky; name the images \(--images, "
        ):
            read_inputs(path)

    def test_with_mirabest(self, path: Path, tmp_path: Path) -> None:
        names = write_batches(tmp_path / "data" / "batches")
        write_wcs_table(tmp_path / "data" / "mirabest_wcs.csv", names)
        inputs = read_inputs(path, "MiraBest", data_dir=tmp_path / "data")
        first = filename_of(labels_of(0)[0], 0).removesuffix(".png")
        assert inputs.images.sources == inputs.annotations.sources == (first,)
        assert inputs.data_name == CITATION
        assert inputs.annotations.left_out == {
            "no image within the match radius": 1,
            "fewer than 2 components": 1,
            "the source is a hybrid, neither FR I nor FR II": 1,
        }
        assert inputs.notes == (
            "1 annotated source is a hybrid, neither FR I nor FR II; left out.",
        )
        both = read_inputs(path, "mirabest", data_dir=tmp_path / "data", min_components=1)
        assert len(both.images) == 2

    def test_with_a_folder(self, path: Path, tmp_path: Path) -> None:
        folder = save(tmp_path / "survey", "a")
        with pytest.raises(AnnotationError, match="none of the 1 images has celestial coordinates"):
            read_inputs(path, folder)

    def test_hybrids_alone(self, tmp_path: Path, write_table: WriteTable) -> None:
        names = write_batches(tmp_path / "data" / "batches")
        write_wcs_table(tmp_path / "data" / "mirabest_wcs.csv", names)
        hybrid = filename_of(labels_of(1)[2], 5)
        with pytest.raises(AnnotationError, match="all annotated sources are hybrids"):
            read_inputs(write_table(*rows(hybrid)), "mirabest", data_dir=tmp_path / "data")

    def test_rows_of_hybrids_are_counted(self, tmp_path: Path, write_table: WriteTable) -> None:
        names = write_batches(tmp_path / "data" / "batches")
        write_wcs_table(tmp_path / "data" / "mirabest_wcs.csv", names)
        hybrid, other = filename_of(labels_of(1)[2], 5), filename_of(labels_of(0)[0], 0)
        table = write_table(*rows(hybrid, other, hybrid))
        inputs = read_inputs(table, "mirabest", data_dir=tmp_path / "data")
        assert len(inputs.images) == len(inputs.annotations) == 1
        assert sum(inputs.annotations.left_out.values()) == 2
        assert inputs.annotations.n_rows == 3

    def test_mirabest_that_is_not_there(self, tmp_path: Path, write_table: WriteTable) -> None:
        with pytest.raises(DataSetError, match="MiraBest was not found in"):
            read_inputs(write_table(*rows("a")), "mirabest", data_dir=tmp_path)


@pytest.mark.parametrize("images", [None, "mirabest", "gone"])
def test_missing_annotations_are_named_first(tmp_path: Path, images: Any) -> None:
    with pytest.raises(AnnotationError, match=r"annotation file .*gone\.csv' does not exist"):
        read_inputs(tmp_path / "gone.csv", images)
