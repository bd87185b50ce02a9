"""Class scores and classes of labelled images."""

from __future__ import annotations

import copy
import dataclasses

import numpy as np
import pytest
import torch

from attnxai.classification.prediction import class_labels, class_scores
from attnxai.errors import (
    AssumptionWarning,
    DataSetError,
    OptionError,
)
from tests.classification.builders import small_images
from tests.models.builders import make_model


@pytest.fixture(scope="module")
def model():
    return make_model()


def test_scores_are_those_of_the_network(model):
    images = small_images(5)
    expected = []
    with torch.no_grad():
        for image in images:
            seen = model.preprocessing.standardise(model.preprocessing.view(image).brightness)
            expected.append(model.network(torch.from_numpy(seen)[None, None]).numpy()[0])
    for batch_size in (1, 2, 64):
        scores = class_scores(model, images, batch_size=batch_size)
        assert scores.dtype == np.float64
        np.testing.assert_allclose(scores, expected, rtol=1e-5, atol=1e-6)
    # before any temperature
    hot = dataclasses.replace(model, temperature=3.0)
    np.testing.assert_array_equal(class_scores(hot, images), class_scores(model, images))


def test_the_model_stays_as_it_was(model):
    images = small_images(3)
    model = dataclasses.replace(model, network=copy.deepcopy(model.network))
    model.network.train()
    model.network.dropout.eval()
    modes = [module.training for module in model.network.modules()]
    state = {name: tensor.clone() for name, tensor in model.network.state_dict().items()}
    first = class_scores(model, images, device="cpu")
    assert [module.training for module in model.network.modules()] == modes
    for name, tensor in model.network.state_dict().items():
        assert torch.equal(tensor, state[name]), name
    np.testing.assert_array_equal(class_scores(model, images), first)


def test_extremes_over_the_batch_see_one_image_at_a_time(model):
    spec = dataclasses.replace(model.spec, extremes_over_batch=True)
    network = type(model.network)(spec)
    network.load_state_dict(model.network.state_dict())
    together = dataclasses.replace(model, spec=spec, network=network.eval())
    images = small_images(4)
    np.testing.assert_allclose(
        class_scores(together, images), class_scores(model, images), rtol=1e-5, atol=1e-6
    )


def test_pixel_scales_are_not_assumed_in_silence(model):
    with pytest.warns(AssumptionWarning, match="3 of 3 images state no pixel scale"):
        class_scores(model, small_images(3, scale=None), batch_size=2)


def test_scores_need_images(model):
    with pytest.raises(DataSetError, match="no images to classify"):
        class_scores(model, [])
    with pytest.raises(OptionError, match="batch_size has to be 1 or more"):
        class_scores(model, small_images(1), batch_size=0)


def test_labels_are_positions_among_the_classes(model):
    assert class_labels(model, small_images(3)).tolist() == [0, 1, 0]
    with pytest.raises(
        DataSetError, match="s00 has class 'relic'; the classes of the model tiny are"
    ):
        class_labels(model, small_images(2, classes=("relic", "class 1")))
