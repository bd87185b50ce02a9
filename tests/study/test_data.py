"""Which images are trained on, measured on, and compared with annotations."""

from __future__ import annotations

import shutil

import pytest

from attnxai.annotations.sample import sample_folder
from attnxai.data.classes import Confidence
from attnxai.errors import AnnotationError, OptionError
from attnxai.study.data import NO_IMAGE, SEEN, TEST, AnnotationRequest, DataRequest
from attnxai.study.measurement import MeasureOn
from tests.study.conftest import write_marks


@pytest.fixture
def held_out(tmp_path, sources):
    """A list of four training sources."""
    path = tmp_path / "held_out.txt"
    path.write_text("\n".join(sources["train"][:4]))
    return path


def test_images_by_use(mirabest, sources, held_out):
    request = DataRequest(data_dir=str(mirabest), hold_out=str(held_out))
    data = request.read()
    assert data.n_held_out == 4
    assert set(data.trained_on.sources) == set(sources["train"][4:])
    assert list(data.test.sources) == sources["test"]
    confident = DataRequest(data_dir=str(mirabest), confidence=Confidence.CONFIDENT)
    assert len(confident.read().trained_on) < len(sources["train"])


def test_hashes_follow_images_and_classes(mirabest, held_out):
    whole = DataRequest(data_dir=str(mirabest)).read()
    fewer = DataRequest(data_dir=str(mirabest), hold_out=str(held_out)).read()
    again = DataRequest(data_dir=str(mirabest)).read()
    assert whole.identity() == again.identity()
    assert whole.identity()["trained_on_sha256"] != fewer.identity()["trained_on_sha256"]
    assert whole.identity()["test_sha256"] == fewer.identity()["test_sha256"]


def test_measured_images(mirabest, sources):
    data = DataRequest(data_dir=str(mirabest)).read()
    own = tuple(sources["train"][2:5])
    assert data.measured(MeasureOn.VALIDATION, own).sources == own
    assert list(data.measured(MeasureOn.TEST, own).sources) == sources["test"]


def test_without_test_images_there_is_nothing_to_measure_on(tmp_path, sources):
    folder = tmp_path / "images"
    shutil.copytree(sample_folder() / "images", folder)
    names = sorted(f.name.removesuffix(".fits.gz") for f in folder.iterdir())[:4]
    for file in list(folder.iterdir()):
        if file.name.removesuffix(".fits.gz") not in names:
            file.unlink()
    rows = [f"{name},FR {'I' if i % 2 else 'II'}" for i, name in enumerate(names)]
    (folder / "labels.csv").write_text("\n".join(["source,class", *rows]) + "\n")
    data = DataRequest(images=str(folder)).read()
    with pytest.raises(OptionError, match="no test images to measure on"):
        data.measured(MeasureOn.TEST, ())


@pytest.mark.parametrize("measure_on", MeasureOn)
def test_agreement_uses_what_no_model_has_seen(mirabest, sources, held_out, tmp_path, measure_on):
    data = DataRequest(data_dir=str(mirabest), hold_out=str(held_out)).read()
    names = [*sources["train"][:6], *sources["test"], "unknown_source"]
    request = AnnotationRequest(path=str(write_marks(tmp_path / "marks.csv", names)))
    found = request.read(data, measure_on)
    expected = set(sources["train"][:4])
    if measure_on is MeasureOn.TEST:
        expected |= set(sources["test"])
    assert set(found.images.sources) == set(found.annotations.sources) == expected
    assert list(found.images.sources) == sorted(expected)
    n_test = len(sources["test"]) if measure_on is MeasureOn.VALIDATION else 0
    assert found.left_out == {SEEN: 2, TEST: n_test, NO_IMAGE: 1}
    assert found.identity()["sha256"] == found.annotations.sha256


def test_annotations_of_several_files_are_read_together(mirabest, sources, held_out, tmp_path):
    data = DataRequest(data_dir=str(mirabest), hold_out=str(held_out)).read()
    first, second = sources["train"][:2], sources["train"][2:4]
    files = {"ann.csv": first, "bob.csv": second}
    paths = tuple(str(write_marks(tmp_path / name, names)) for name, names in files.items())
    found = AnnotationRequest(path=paths).read(data, MeasureOn.VALIDATION)
    assert set(found.images.sources) == {*first, *second}
    one = AnnotationRequest(path=paths[0]).read(data, MeasureOn.VALIDATION)
    assert set(one.images.sources) == set(first)
    assert found.identity()["sha256"] != one.identity()["sha256"]


def test_annotations_may_bring_their_own_images(mirabest):
    data = DataRequest(data_dir=str(mirabest)).read()
    found = AnnotationRequest(path="expert.csv").read(data, MeasureOn.VALIDATION)
    assert len(found.images) == 40
    assert not any(found.left_out.values())


def test_annotations_of_training_sources_alone_are_refused(mirabest, sources, tmp_path):
    data = DataRequest(data_dir=str(mirabest)).read()
    marks = write_marks(tmp_path / "marks.csv", sources["train"][:2])
    with pytest.raises(AnnotationError, match="hold them out of training with hold_out"):
        AnnotationRequest(path=str(marks)).read(data, MeasureOn.VALIDATION)
