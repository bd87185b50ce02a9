from __future__ import annotations

import hashlib
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import strategies as st

from attnxai.data import download, mirabest
from attnxai.data.classes import Confidence
from attnxai.data.mirabest import (
    BATCHES,
    CODES,
    DATA_DIR_VARIABLE,
    find_mirabest,
    is_mirabest_source,
    read_mirabest,
    read_wcs_table,
)
from attnxai.data.sky import pixel_to_sky, sky_to_pixel
from attnxai.errors import AssumptionWarning, DataSetError, OptionError
from tests.data.mirabest_files import (
    Calls,
    batch_with,
    filename_of,
    labels_of,
    pixels_of,
    write_archive,
    write_batches,
    write_wcs_table,
)
from tests.hostile.harness import EFFORTS, fuzz
from tests.hostile.mutations import damaged
from tests.hostile.pickles import rearranged


def rewrite(folder: Path, batch: str, **values: Any) -> None:
    (folder / "batches" / batch).write_bytes(batch_with(**values))


@pytest.fixture
def every_label(mirabest_folder: Path) -> Path:
    """A data set whose last batch has an image of every label."""
    rewrite(
        mirabest_folder,
        "test_batch",
        labels=list(range(10)),
        data=[pixels_of(n) for n in range(40, 50)],
        filenames=[f"./MiraBest_data/{filename_of(n, 40 + n)}" for n in range(10)],
    )
    return mirabest_folder


class TestReading:
    def test_images_classes_and_split(self, mirabest_folder: Path) -> None:
        images = read_mirabest(mirabest_folder, hybrids=True)
        assert len(images) == 24
        for number, image in enumerate(images):
            batch = number // 3
            label = labels_of(batch)[number % 3]
            assert image.source == filename_of(label, number).removesuffix(".png")
            np.testing.assert_array_equal(image.pixels, pixels_of(number))
            first_digit = str(CODES[label])[0]
            assert image.class_name == {"1": "FR I", "2": "FR II", "3": "hybrid"}[first_digit]
            assert image.split == ("test" if batch == 7 else "train")
            assert image.prepared
            assert image.grid.pixel_scale_arcsec == 1.8
            assert image.beam_arcsec == (5.4, 5.4, 0.0)
        assert images.origin == str(mirabest_folder / "batches")

    def test_hybrids_are_left_out_unless_asked_for(self, mirabest_folder: Path) -> None:
        images = read_mirabest(mirabest_folder)
        assert len(images) == 24 - 4
        assert {image.class_name for image in images} == {"FR I", "FR II"}

    def test_every_label_has_its_class(self, every_label: Path) -> None:
        expected = ["FR I"] * 5 + ["FR II"] * 3 + ["hybrid"] * 2
        images = read_mirabest(every_label, hybrids=True)
        assert [image.class_name for image in images[-10:]] == expected

    @pytest.mark.parametrize("hybrids", [True, False])
    def test_confidence_is_the_second_digit(self, every_label: Path, hybrids: bool) -> None:
        everything = read_mirabest(every_label, hybrids=hybrids)
        for confidence, digit in ((Confidence.CONFIDENT, "0"), (Confidence.UNCERTAIN, "1")):
            part = read_mirabest(every_label, hybrids=hybrids, confidence=confidence)
            assert part.sources == tuple(s for s in everything.sources if s[1] == digit)
            assert len(part) > 3
            assert {image.class_name for image in part} == {
                image.class_name for image in everything
            }
        assert read_mirabest(every_label, hybrids=hybrids, confidence=Confidence.ALL).sources == (
            everything.sources
        )

    def test_confidence_may_be_plain_text(self, mirabest_folder: Path) -> None:
        plain: Any = "uncertain"
        images = read_mirabest(mirabest_folder, confidence=plain)
        expected = read_mirabest(mirabest_folder, confidence=Confidence.UNCERTAIN)
        assert images.sources == expected.sources

    def test_unknown_confidence(self, mirabest_folder: Path) -> None:
        wrong: Any = "sure"
        with pytest.raises(
            OptionError,
            match=r"unknown confidence 'sure'; known values are all, confident, uncertain",
        ):
            read_mirabest(mirabest_folder, confidence=wrong)

    def test_ids_are_recognised(self, mirabest_folder: Path) -> None:
        for source in read_mirabest(mirabest_folder, hybrids=True).sources:
            assert is_mirabest_source(source)
        for other in ("2_CoNFIG_FR1", "3C 207_II", "400_142.7+03.8_0.1_1.0", "100_FRICAT_FR1", ""):
            assert not is_mirabest_source(other)

    def test_positions_come_from_the_table(self, mirabest_folder: Path) -> None:
        images = read_mirabest(mirabest_folder, hybrids=True)
        for number, image in enumerate(images):
            if number == 4:
                assert image.grid.wcs is None
                continue
            assert image.grid.wcs is not None
            ra, dec = pixel_to_sky(image.grid.wcs, 74.5, 74.5)
            place = (150 + number / 10, 30 + number / 10 + 0.01)
            # FK5, as in the FITS headers: within 30 milliarcsec of ICRS, and exact in its own frame
            assert image.grid.wcs.wcs.radesys == "FK5"
            assert (float(ra), float(dec)) == pytest.approx(place, abs=1e-5)
            native = image.grid.wcs.wcs_pix2world([[74.5, 74.5]], 0)[0]
            assert native == pytest.approx(place, abs=1e-9)

    def test_row_0_is_south_and_column_0_east(self, mirabest_folder: Path) -> None:
        wcs = read_mirabest(mirabest_folder)[0].grid.wcs
        ra, dec = pixel_to_sky(wcs, [0.0, 74.5, 149.0], [74.5, 0.0, 74.5])
        assert ra[0] > 150.0 > ra[2]
        assert dec[1] < 30.01

    def test_positions_come_from_the_names_with_a_warning(self, mirabest_folder: Path) -> None:
        (mirabest_folder / "mirabest_wcs.csv").unlink()
        with pytest.warns(AssumptionWarning, match=r"no mirabest_wcs\.csv lies beside") as caught:
            images = read_mirabest(mirabest_folder)
        assert Path(caught[0].filename).name == Path(__file__).name
        for image in images:
            ra, dec = (float(v) for v in image.source.split("_")[1].split("+"))
            x, y = sky_to_pixel(image.grid.wcs, ra, dec)
            assert (float(x), float(y)) == pytest.approx((74.5, 74.5), abs=0.02)
            ends_ra, ends_dec = pixel_to_sky(image.grid.wcs, [0.0, 74.5], [74.5, 0.0])
            assert ends_ra[0] > ra
            assert ends_dec[1] < dec

    def test_a_name_without_position_gives_none(self, mirabest_folder: Path) -> None:
        (mirabest_folder / "mirabest_wcs.csv").unlink()
        rewrite(mirabest_folder, BATCHES[2], filenames=["J1432.png"])
        with pytest.warns(AssumptionWarning):
            assert read_mirabest(mirabest_folder)["J1432"].grid.wcs is None

    @pytest.mark.parametrize("label", [-1, 10, 100, "0", None, 1.5])
    def test_unknown_label(self, mirabest_folder: Path, label: Any) -> None:
        rewrite(mirabest_folder, BATCHES[3], labels=[label])
        with pytest.raises(DataSetError, match=f"data_batch_4 has the unknown label {label!r}"):
            read_mirabest(mirabest_folder)

    @pytest.mark.parametrize(
        "data", [np.zeros((150, 149), np.uint8), np.zeros((150, 150)), "text", None]
    )
    def test_data_that_are_no_image(self, mirabest_folder: Path, data: Any) -> None:
        rewrite(mirabest_folder, BATCHES[3], data=[data])
        with pytest.raises(
            DataSetError,
            match=r"MiraBest image .* in data_batch_4 is .*; an image is 150 x 150 whole",
        ):
            read_mirabest(mirabest_folder)

    def test_flat_arrays_are_rows_of_150(self, mirabest_folder: Path) -> None:
        rewrite(mirabest_folder, BATCHES[0], data=[pixels_of(0).ravel()])
        np.testing.assert_array_equal(read_mirabest(mirabest_folder)[0].pixels, pixels_of(0))

    @pytest.mark.parametrize("missing", [BATCHES[0], BATCHES[4], "test_batch"])
    def test_missing_batch(self, mirabest_folder: Path, missing: str) -> None:
        (mirabest_folder / "batches" / missing).unlink()
        with pytest.raises(DataSetError, match=f"batches lacks {missing} of MiraBest"):
            read_mirabest(mirabest_folder)

    def test_malicious_batch_in_the_folder(self, mirabest_folder: Path, tmp_path: Path) -> None:
        trace = tmp_path / "trace"
        attack = pickle.dumps(Calls(os.system, f"echo run > {trace}"), protocol=2)
        (mirabest_folder / "batches" / "data_batch_5").write_bytes(attack)
        with pytest.raises(DataSetError, match="batch data_batch_5 was refused: it asks for"):
            read_mirabest(mirabest_folder)
        assert not trace.exists()


class TestArchive:
    @pytest.fixture
    def archive(self, mirabest_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """The eight batches as an archive that counts as the published one."""
        path = mirabest_folder / mirabest.ARCHIVE_NAME
        self.pack(path, monkeypatch)
        return path

    def pack(self, path: Path, monkeypatch: pytest.MonkeyPatch, leave_out: str = "") -> None:
        write_archive(path, path.parent / "batches", leave_out=leave_out)
        shutil.rmtree(path.parent / "batches")
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        monkeypatch.setattr(mirabest, "ARCHIVE_MD5", md5)

    def test_archive_and_folder_hold_the_same(
        self, mirabest_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        expected = read_mirabest(mirabest_folder)
        self.pack(mirabest_folder / mirabest.ARCHIVE_NAME, monkeypatch)
        images = read_mirabest(mirabest_folder)
        assert images.sources == expected.sources
        assert images.sha256() == expected.sha256()
        assert images.origin.endswith(".tar.gz")

    def test_archive_may_be_named_itself(self, archive: Path) -> None:
        assert len(read_mirabest(archive)) == 20

    def test_nothing_is_unpacked_beside_it(self, archive: Path) -> None:
        read_mirabest(archive)
        assert {file.name for file in archive.parent.iterdir()} == {
            archive.name,
            "mirabest_wcs.csv",
        }

    def test_wrong_md5(self, archive: Path) -> None:
        content = archive.read_bytes()
        archive.write_bytes(content[:-1])
        with pytest.raises(
            DataSetError, match=r"is not the published MiraBest archive: its md5 is"
        ):
            read_mirabest(archive)

    def test_published_md5_is_asked_for(self, mirabest_folder: Path) -> None:
        path = mirabest_folder / mirabest.ARCHIVE_NAME
        write_archive(path, mirabest_folder / "batches")
        with pytest.raises(DataSetError, match="965b5daa83b9d8622bb407d718eecb51"):
            read_mirabest(path)

    def test_missing_batch(self, mirabest_folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        path = mirabest_folder / mirabest.ARCHIVE_NAME
        self.pack(path, monkeypatch, leave_out="data_batch_6")
        with pytest.raises(DataSetError, match=" lacks data_batch_6 of MiraBest"):
            read_mirabest(path)


class TestFinding:
    @pytest.fixture(autouse=True)
    def _empty_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(download, "cache_folder", lambda: tmp_path / "cache")
        monkeypatch.delenv(DATA_DIR_VARIABLE, raising=False)

    @pytest.mark.parametrize("below", ["", "batches", "mirabest", "mirabest/batches"])
    def test_folder_of_batches(self, tmp_path: Path, below: str) -> None:
        write_batches(tmp_path / "data" / below)
        assert find_mirabest(tmp_path / "data")[0] == tmp_path / "data" / below

    @pytest.mark.parametrize("below", ["", "mirabest"])
    def test_archive(self, tmp_path: Path, below: str) -> None:
        folder = tmp_path / "data" / below
        folder.mkdir(parents=True)
        (folder / mirabest.ARCHIVE_NAME).touch()
        (folder / "mirabest_wcs.csv").touch()
        expected = folder / mirabest.ARCHIVE_NAME, folder / "mirabest_wcs.csv"
        assert find_mirabest(tmp_path / "data") == expected

    def test_table_lies_beside_the_batches_or_one_folder_up(self, tmp_path: Path) -> None:
        write_batches(tmp_path / "batches")
        assert find_mirabest(tmp_path)[1] is None
        (tmp_path / "mirabest_wcs.csv").touch()
        assert find_mirabest(tmp_path)[1] == tmp_path / "mirabest_wcs.csv"
        assert find_mirabest(tmp_path / "batches")[1] == tmp_path / "mirabest_wcs.csv"

    def test_environment_then_cache(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "cache").mkdir()
        (tmp_path / "cache" / mirabest.ARCHIVE_NAME).touch()
        assert find_mirabest()[0].parent == tmp_path / "cache"
        write_batches(tmp_path / "own")
        monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "own"))
        assert find_mirabest()[0] == tmp_path / "own"

    def test_option_goes_before_all(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        write_batches(tmp_path / "own")
        monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "own"))
        (tmp_path / "empty").mkdir()
        with pytest.raises(DataSetError, match=r"was not found in \S*empty; point data_dir"):
            find_mirabest(tmp_path / "empty")

    def test_every_place_is_named(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv(DATA_DIR_VARIABLE, str(tmp_path / "own"))
        with pytest.raises(DataSetError, match=r"own, \S*cache; .*attnxai data fetch mirabest"):
            find_mirabest()

    def test_folder_that_does_not_exist(self, tmp_path: Path) -> None:
        with pytest.raises(DataSetError, match=r"data folder .*gone does not exist"):
            find_mirabest(tmp_path / "gone")


class TestWcsTable:
    def test_images_without_coordinates_are_left_out(self, mirabest_folder: Path) -> None:
        table = read_wcs_table(mirabest_folder / "mirabest_wcs.csv")
        assert len(table) == 23
        assert filename_of(0, 0).removesuffix(".png") in table

    @pytest.mark.parametrize("text", ["image,ctype1\n", "image,ctype1\na,RA---TAN\n"])
    def test_missing_columns(self, tmp_path: Path, text: str) -> None:
        (tmp_path / "t.csv").write_text(text, encoding="utf-8")
        with pytest.raises(DataSetError, match=r"t\.csv lacks columns: it needs image, ctype1"):
            read_wcs_table(tmp_path / "t.csv")

    @pytest.mark.parametrize(
        ("column", "value"),
        [("5", "east"), ("5", "1,2"), ("3", "RA---XXX"), ("9", "1e300"), ("9", "nan"), ("9", "0")],
    )
    def test_bad_values_name_the_line(self, tmp_path: Path, column: str, value: str) -> None:
        write_wcs_table(tmp_path / "t.csv", ["a.png", "b.png"])
        lines = (tmp_path / "t.csv").read_text(encoding="utf-8").splitlines()
        cells = lines[2].split(",")
        cells[int(column)] = f'"{value}"'
        (tmp_path / "t.csv").write_text("\n".join([*lines[:2], ",".join(cells)]), encoding="utf-8")
        with pytest.raises(DataSetError, match="  line 3: its FITS keywords state no"):
            read_wcs_table(tmp_path / "t.csv")

    def test_short_row(self, tmp_path: Path) -> None:
        write_wcs_table(tmp_path / "t.csv", ["a.png"])
        with open(tmp_path / "t.csv", "a", encoding="utf-8") as file:
            file.write("b.png,x,1,RA---TAN,DEC--TAN,10.0\n")
        with pytest.raises(DataSetError, match="  line 3: 6 cells, but the header"):
            read_wcs_table(tmp_path / "t.csv")

    def test_other_encoding(self, tmp_path: Path) -> None:
        (tmp_path / "t.csv").write_bytes("image,ctype1\nJ\xf6rg,1\n".encode("latin1"))
        with pytest.raises(DataSetError, match="is not UTF-8 text"):
            read_wcs_table(tmp_path / "t.csv")


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_batch(effort: int, tmp_path: Path) -> None:
    names = write_batches(tmp_path / "batches")

    def reader(path: Path) -> None:
        shutil.copy(path, tmp_path / "batches" / BATCHES[1])
        read_mirabest(tmp_path)

    valid = [batch_with(filenames=[f"./MiraBest_data/{name}"]) for name in names[3:5]]
    words = [b"999.999", b"+99.999", b"9" * 400, b"100_", b"/"]
    files = st.one_of(rearranged(valid), damaged(valid, words=words, text=True))
    fuzz(reader, files, file_name="data_batch_2", examples=60 * effort, allowance=64 << 20)


@pytest.mark.parametrize("ctype", ["", "ra---tan", "\u22121", "RA---TAN-SIP", "X", "RA---\x00"])
def test_axes_without_a_type(tmp_path: Path, ctype: str) -> None:
    write_wcs_table(tmp_path / "t.csv", [filename_of(0, 0)])
    text = (tmp_path / "t.csv").read_text(encoding="utf-8").replace("RA---TAN", ctype)
    (tmp_path / "t.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataSetError, match="  line 2: its FITS keywords state no"):
        read_wcs_table(tmp_path / "t.csv")


@pytest.mark.parametrize("effort", EFFORTS)
def test_any_table_of_coordinates(effort: int, tmp_path: Path) -> None:
    write_wcs_table(tmp_path / "t.csv", [filename_of(0, number) for number in range(2)])
    words = [
        b"RA---TAN",
        b"RA---SIN",
        b"GLON-CAR",
        b"XXXX",
        b"RA---ZPX",
        b",",
        b'"',
        b"\n",
        b"\r",
        b"\0",
        b"\xff",
    ]
    files = damaged([(tmp_path / "t.csv").read_bytes()], words=words, text=True)
    fuzz(read_wcs_table, files, file_name="t.csv", examples=200 * effort, allowance=64 << 20)
