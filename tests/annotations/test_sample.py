from __future__ import annotations

import gzip
import hashlib
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

import attnxai
from attnxai.annotations.inputs import Inputs, read_inputs
from attnxai.annotations.sample import is_shipped, resolve_annotations, sample_folder
from attnxai.errors import AnnotationError

PROJECT = Path(__file__).parents[2]


def test_python_notes_that_the_sample_is_not_ones_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert attnxai.read_annotations("expert.csv").notices[0] == (
        "expert.csv is not a local file: using the simulated sample that ships with attnxai (sources and annotators do not "
        "exist)."
    )


@pytest.fixture(scope="module")
def shipped() -> Inputs:
    return read_inputs("expert.csv")


class TestFinding:
    def test_name_of_the_table_in_any_folder(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert resolve_annotations("expert.csv") == sample_folder() / "expert.csv"
        assert is_shipped("expert.csv")

    def test_a_local_file_goes_first(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.chdir(tmp_path)
        (tmp_path / "expert.csv").touch()
        assert resolve_annotations("expert.csv") == Path("expert.csv")
        assert not is_shipped("expert.csv")

    @pytest.mark.parametrize("name", ["other.csv", "folder/expert.csv", ""])
    def test_other_names_are_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
    ) -> None:
        monkeypatch.chdir(tmp_path)
        assert not is_shipped(name)
        with pytest.raises(
            AnnotationError, match=r"does not exist in .*; tables that ship are called"
        ):
            resolve_annotations(name)

    def test_a_folder_is_no_table(self, tmp_path: Path) -> None:
        with pytest.raises(AnnotationError, match=r"' is a folder; name a file in it$"):
            resolve_annotations(tmp_path)

    def test_installed_sample_goes_before_the_checkout(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        package = tmp_path / "attnxai"
        package.mkdir()
        monkeypatch.setattr("importlib.resources.files", lambda name: tmp_path / name)
        assert sample_folder() == tmp_path / "reference_annotations"
        (package / "reference_annotations").mkdir()
        assert sample_folder() == package / "reference_annotations"


class TestContent:
    def test_checksums(self) -> None:
        folder = sample_folder()
        listed = {}
        for line in (folder / "SHA256SUMS").read_text(encoding="utf-8").splitlines():
            checksum, name = line.split("  ", 1)
            listed[name] = checksum
        files = {
            file.relative_to(folder).as_posix()
            for file in folder.rglob("*")
            if file.suffix in (".csv", ".json", ".gz")
        }
        assert set(listed) == files
        for name, checksum in listed.items():
            assert hashlib.sha256((folder / name).read_bytes()).hexdigest() == checksum

    def test_every_name_says_simulated(self, shipped: Inputs) -> None:
        assert all(source.startswith("simulated_") for source in shipped.images.sources)
        assert all(name.startswith("simulated_") for name in shipped.annotations.annotators)
        assert shipped.annotations.simulated
        assert "simulated" in shipped.annotations.kind
        assert shipped.data_name == "simulated FR I and FR II radio galaxies"

    def test_forty_sources_of_three_annotators(self, shipped: Inputs) -> None:
        classes = list(shipped.annotations.classes.values())
        assert (classes.count("FR I"), classes.count("FR II")) == (20, 20)
        assert set(shipped.annotations.sources) == set(shipped.images.sources)
        assert shipped.annotations.annotators == ("simulated_1", "simulated_2", "simulated_3")
        for source in shipped.annotations.sources:
            for annotator in shipped.annotations.annotators:
                assert shipped.annotations.of(source, annotator)
        assert shipped.annotations.n_rows == len(shipped.annotations)
        assert shipped.annotations.notices == ()

    def test_every_kind_of_shape_and_both_frames_are_in_it(self, shipped: Inputs) -> None:
        shapes = [a.shape for a in shipped.annotations.annotations]
        assert {s.kind for s in shapes} == {"circle", "ellipse", "box", "line", "point", "polygon"}
        assert {s.frame for s in shapes} == {"pixel", "icrs"}

    def test_marks_lie_where_the_images_are_bright(self, shipped: Inputs) -> None:
        """Cores and hotspots of all annotators, in pixels and on the sky, are bright."""
        n_bright = n_marks = 0
        for annotation in shipped.annotations.annotations:
            if annotation.label not in ("core", "hotspot"):
                continue
            image = shipped.images[annotation.source]
            (region,) = annotation.shape.on_pixels(image.grid).to_regions()
            column, row = round(float(region.center.x)), round(float(region.center.y))
            n_marks += 1
            n_bright += bool(image.pixels[row, column] > 5 * 0.15)
        assert n_marks > 200
        assert n_bright / n_marks > 0.95

    def test_images_have_a_place_a_beam_and_noise(self, shipped: Inputs) -> None:
        for image in shipped.images:
            assert image.grid.wcs is not None
            assert image.beam_arcsec == pytest.approx((5.4, 5.4, 0.0))
            spread = 1.4826 * np.median(np.abs(image.pixels - np.median(image.pixels)))
            assert spread == pytest.approx(0.15, rel=0.35)
            assert not image.prepared


def test_the_script_makes_the_sample_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = PROJECT / "examples" / "simulate_sample.py"
    if not script.is_file():
        pytest.skip("examples lie in the checkout alone")
    monkeypatch.setattr(sys, "argv", [str(script), str(tmp_path)])
    runpy.run_path(str(script), run_name="__main__")
    assert "Wrote 40 images" in capsys.readouterr().out
    folder = sample_folder()
    assert (tmp_path / "expert.csv").read_bytes() == (folder / "expert.csv").read_bytes()
    made = sorted((tmp_path / "images").iterdir())
    assert [f.name for f in made] == sorted(f.name for f in (folder / "images").iterdir())
    for file in made:
        # unpacked: how bytes are packed depends on the versions of Python and zlib
        expected = gzip.decompress((folder / "images" / file.name).read_bytes())
        assert gzip.decompress(file.read_bytes()) == expected
