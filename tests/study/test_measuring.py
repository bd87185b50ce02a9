"""What is measured of a model, against the functions it comes from."""

from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import torch
from scipy.special import softmax
from sklearn.metrics import accuracy_score, f1_score, roc_auc_score

from attnxai.alignment.own_emission import within_own_emission
from attnxai.alignment.pairs import align
from attnxai.audit.consistency import rotation_consistency
from attnxai.classification.metrics import classification_metrics
from attnxai.classification.prediction import class_scores
from attnxai.errors import OptionError
from attnxai.explanations.explaining import explain
from attnxai.explanations.gates import attention_maps
from attnxai.metrics import nss, spearman
from attnxai.models.model import AttentionModel, TrainingRecord
from attnxai.models.network import AttentionNetwork
from attnxai.models.preprocessing import Preprocessing
from attnxai.study.data import AnnotationRequest, DataRequest
from attnxai.study.measurement import MeasureOn
from attnxai.study.measuring import agreement_values, measure_model
from attnxai.study.plan import MeasureSettings
from tests.builders import made_up
from tests.study.conftest import write_marks

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def data(mirabest, sources, tmp_path_factory):
    held_out = tmp_path_factory.mktemp("held") / "held_out.txt"
    held_out.write_text("\n".join(sources["train"][:5]))
    return DataRequest(data_dir=str(mirabest), hold_out=str(held_out)).read()


@pytest.fixture(scope="module")
def model(data, baseline):
    spec = dataclasses.replace(baseline, group="C2", fields=(1, 2, 2, 2))
    network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(3)).eval()
    used = data.trained_on.sources
    record = TrainingRecord(
        data="",
        data_licence="",
        data_sha256="",
        train_sources=used[5:],
        validation_sources=used[:5],
        settings={},
        metrics={},
        versions={},
        command="",
    )
    return AttentionModel(
        name="untrained",
        spec=spec,
        network=network,
        preprocessing=Preprocessing(size=32, deviation=0.1),
        class_names=("FR I", "FR II"),
        training=record,
        temperature=2.0,
    )


def test_classification_equals_scikit_learn(data, model):
    found = measure_model(model, data, MeasureSettings(n_angles=2))
    images = data.trained_on.select(model.training.validation_sources)
    assert found.n_images == 5
    scores = class_scores(model, images)
    labels = [("FR I", "FR II").index(image.class_name) for image in images]
    predicted = scores.argmax(axis=1)
    assert found.values["accuracy"] == accuracy_score(labels, predicted)
    expected = f1_score(labels, predicted, average=None, labels=[0, 1], zero_division=0)
    assert [found.values["f1:FR I"], found.values["f1:FR II"]] == pytest.approx(list(expected))
    assert found.values["auc"] == pytest.approx(roc_auc_score(labels, scores[:, 1] - scores[:, 0]))
    assert 0 <= found.values["ece"] <= 1
    assert found.values["ece"] != found.values["ece_scaled"]


def test_three_classes_are_told_apart_at_the_temperature_of_the_model(mirabest, model, monkeypatch):
    """With more than two classes the temperature can change which image is the likelier member."""
    data = DataRequest(data_dir=str(mirabest), hybrids=True).read()
    names = data.labelled.class_names
    assert len(names) == 3
    spec = dataclasses.replace(model.spec, n_classes=3)
    network = AttentionNetwork(spec, generator=torch.Generator().manual_seed(3)).eval()
    record = dataclasses.replace(model.training, validation_sources=data.trained_on.sources)
    model = dataclasses.replace(
        model, spec=spec, network=network, class_names=names, training=record, temperature=3.0
    )
    scores = np.random.default_rng(1).normal(0, 3, (len(data.trained_on), 3))
    monkeypatch.setattr("attnxai.study.measuring.class_scores", lambda *_: scores)
    found = measure_model(model, data, MeasureSettings(n_angles=1)).values["auc"]
    labels = [names.index(image.class_name) for image in data.trained_on]
    with_temperature, without = (
        roc_auc_score(labels, softmax(scores / t, axis=1), multi_class="ovr") for t in (3.0, 1.0)
    )
    assert found == pytest.approx(with_temperature, abs=1e-12)
    assert abs(with_temperature - without) > 1e-3
    metrics = classification_metrics(scores, labels, names, temperature=3.0, n_bootstrap=10, rng=0)
    assert found == metrics.roc_auc.value


def test_consistency_is_that_of_the_audit(data, model):
    found = measure_model(
        model, data, MeasureSettings(n_angles=3, seed=4, measure_on=MeasureOn.TEST)
    )
    expected = rotation_consistency(model, data.test, n_angles=3, rng=np.random.default_rng(4))
    assert found.n_images == len(data.test)
    assert found.values["prediction_consistency"] == expected.class_consistency.mean()
    assert found.values["attention_consistency"] == pytest.approx(
        np.nanmean(expected.map_consistency["mean"])
    )


def test_agreement_over_held_out_sources(data, model, sources, tmp_path):
    marks = write_marks(tmp_path / "marks.csv", sources["train"][:7])
    settings = MeasureSettings(n_angles=1, annotations=AnnotationRequest(path=str(marks)))
    annotated = settings.annotations.read(data, settings.measure_on)
    found = measure_model(model, data, settings, annotated)
    assert set(found.sources) == set(sources["train"][:5])
    assert sum(found.left_out.values()) == 2
    pairs = align(attention_maps(model, annotated.images), annotated.annotations, annotated.images)
    for position, source in enumerate(pairs.sources):
        valid = pairs.valid[position]
        for name, maps in pairs.explanations.items():
            target = pairs.density[0, position]
            place = found.sources.index(source)
            assert found.agreement[f"nss:{name}"][place] == pytest.approx(
                nss(maps[position], target, valid), nan_ok=True
            )
            assert found.agreement[f"spearman:{name}"][place] == pytest.approx(
                spearman(maps[position], target, valid), nan_ok=True
            )
    assert set(found.agreement) == {
        f"{measure}:{name}"
        for measure in ("nss", "spearman", "nss_within", "spearman_within")
        for name in ("gate1", "gate2", "gate3", "mean")
    }


def test_agreement_by_other_methods_and_within_emission(
    data, model, sources, tmp_path, monkeypatch
):
    # the sources of these images are small
    monkeypatch.setattr("attnxai.alignment.own_emission.MIN_EMISSION_PIXELS", 2)
    marks = write_marks(tmp_path / "marks.csv", sources["train"][:5])
    settings = MeasureSettings(
        n_angles=1,
        annotations=AnnotationRequest(path=str(marks)),
        explain=("evidence", "saliency"),
    )
    assert settings.explain == ("gates", "evidence", "saliency")
    annotated = settings.annotations.read(data, settings.measure_on)
    found = measure_model(model, data, settings, annotated)
    names = {name.partition(":")[2] for name in found.agreement}
    assert names == {"gate1", "gate2", "gate3", "mean", "evidence", "saliency"}
    maps = explain(model, annotated.images, ["evidence", "saliency"])
    pairs = align(maps, annotated.annotations, annotated.images)
    within = within_own_emission(pairs)
    for source, whole in zip(found.sources, found.agreement["nss:saliency"], strict=True):
        position = pairs.sources.index(source)
        target, valid = pairs.density[0, position], pairs.valid[position]
        assert whole == pytest.approx(nss(pairs.explanations["saliency"][position], target, valid))
    assert 0 < len(within.sources) <= len(found.sources)
    for source, value in zip(found.sources, found.agreement["nss_within:evidence"], strict=True):
        if source not in within.sources:
            assert math.isnan(value)
            continue
        position = within.sources.index(source)
        target, valid = within.density[0, position], within.valid[position]
        expected = nss(within.explanations["evidence"][position], target, valid)
        assert value == pytest.approx(expected, nan_ok=True)


def test_unknown_explanation_methods_are_refused():
    with pytest.raises(OptionError, match="unknown explanation method 'lime'"):
        MeasureSettings(explain=("lime",))


def test_annotators_are_averaged_and_one_gate_is_its_own_mean():
    maps, marks, images = made_up(n_sources=3)
    pairs = align(maps, marks, images)
    values = agreement_values(pairs)
    by_hand = np.mean(
        [nss(pairs.explanations["gate2"][0], pairs.density[a, 0], pairs.valid[0]) for a in (0, 1)]
    )
    assert values["nss:gate2"][0] == pytest.approx(by_hand)
    single = dataclasses.replace(pairs, explanations={"gate1": pairs.explanations["gate1"]})
    assert agreement_values(single)["nss:mean"] == values["nss:gate1"]
    present = pairs.present.copy()
    present[:, 1] = False
    missing = agreement_values(dataclasses.replace(pairs, present=present))
    assert math.isnan(missing["nss:mean"][1])
    assert math.isfinite(missing["nss:mean"][0])


def test_maps_of_seen_sources_are_refused(data, model, sources, tmp_path):
    marks = write_marks(tmp_path / "marks.csv", sources["train"][:2])
    request = AnnotationRequest(path=str(marks))
    annotated = request.read(data, MeasureOn.VALIDATION)
    seen = dataclasses.replace(model.training, train_sources=(sources["train"][0],))
    settings = MeasureSettings(n_angles=1, annotations=request)
    with pytest.raises(OptionError, match="trained or validated on 1 of the annotated sources"):
        measure_model(dataclasses.replace(model, training=seen), data, settings, annotated)
    with pytest.raises(OptionError, match="no record of its training"):
        measure_model(dataclasses.replace(model, training=None), data, settings)
