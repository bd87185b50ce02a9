"""Names of maps, metrics and groups in sentences."""

from __future__ import annotations

import pytest

from attnxai.data.wording import listed
from attnxai.explanations.labels import LABELS
from attnxai.metrics import METRICS
from attnxai.report.wording import (
    group_phrase,
    in_sentence,
    label_of_map,
    map_in_sentence,
    method_of_map,
    name_of_map,
    names_of_maps,
)


def test_names_of_maps():
    assert name_of_map("gate2") == "Gate 2"
    assert name_of_map("mean") == "The mean of the gates"
    assert name_of_map("integrated gradients") == "integrated gradients"
    assert names_of_maps(["gate2"]) == "gate 2"
    assert names_of_maps(["mean"]) == "the mean of the gates"
    assert names_of_maps(["gate1", "gate2", "gate3"]) == "gates 1, 2 and 3"
    assert names_of_maps(["gate2", "gate3", "mean"]) == "gates 2 and 3 and the mean of the gates"
    assert names_of_maps(["integrated gradients"]) == "integrated gradients"


def test_words_inside_sentences():
    labels = {name: in_sentence(metric.label) for name, metric in METRICS.items()}
    assert labels["relevance_mass_accuracy"] == "relevance mass"
    assert labels["spearman"] == "Spearman ρ"
    assert labels["auc"] == "AUC"
    assert {"IoU", "−KL divergence", "shuffled AUC", "correlation r"} <= set(labels.values())
    assert listed(["a"]) == "a"
    assert listed(["a", "b", "c"]) == "a, b and c"
    assert group_phrase("validation", 1) == "source that the model was validated on"
    assert group_phrase("validation", 5) == "sources that the model was validated on"


@pytest.mark.parametrize(
    ("name", "words", "method"),
    [
        ("gate3", "gate 3", "gates"),
        ("gate3 magnitude", "gate 3 magnitude", "gates magnitude"),
        ("mean centred", "the mean of the centred gates", "gates centred"),
        ("evidence", "evidence", "evidence"),
        ("evidence gate1", "evidence of gate 1", "evidence"),
        (
            "evidence relative gate2",
            "evidence of gate 2 relative to empty sky",
            "evidence relative",
        ),
        ("evidence magnitude", "magnitude of the evidence", "evidence magnitude"),
        ("gradcam layer4", "Grad-CAM of layer4", "gradcam"),
        ("guided_gradcam", "guided Grad-CAM", "guided_gradcam"),
        ("my own", "my own", "my own"),
    ],
)
def test_maps_of_every_method_have_plain_names(name, words, method):
    assert map_in_sentence(name) == words
    assert method_of_map(name) == method
    assert (
        label_of_map(name)
        == f"{words.removeprefix('the ')[0].upper()}{words.removeprefix('the ')[1:]}"
    )


def test_every_attribution_method_of_this_package_has_plain_words():
    for method in LABELS:
        words = name_of_map(method.replace("evidence_", "evidence "))
        assert words[0].isupper(), f"{method} in attnxai/explanations/labels.py"
        assert "_" not in words, f"{method} in attnxai/explanations/labels.py"
