"""Real FITS cutouts through the whole way give what the 8-bit images of the same sources give."""

from __future__ import annotations

import numpy as np
import pytest

import attnxai
from attnxai.agreement.comparison import ComparisonSettings

pytestmark = pytest.mark.shared_data


def test_fits_cutouts_agree_with_the_8_bit_images(shared_data):
    cutouts = attnxai.read_images(shared_data / "mirabest_fits")
    batches = attnxai.read_mirabest(shared_data).select(cutouts.sources)
    model = attnxai.load_model("d8.pt")
    settings = ComparisonSettings(n_permutations=99, n_bootstrap=100)
    results = []
    for images in (cutouts, batches):
        maps = attnxai.attention_maps(model, images)
        annotations = attnxai.read_annotations(
            shared_data / "rgz" / "claran_full_catalogue.csv", images
        )
        assert len(annotations.sources) == 24
        results.append((maps, attnxai.compare(maps, annotations, images, settings=settings)))
    (maps, of_cutouts), (same_maps, of_batches) = results
    for name, layer in maps.layers.items():
        np.testing.assert_array_equal(layer, same_maps.layers[name])
    assert of_cutouts.sources == of_batches.sources
    # classes are known for MiraBest alone
    assert of_cutouts.classes == (None,) * 24
    np.testing.assert_allclose(of_cutouts.values, of_batches.values, rtol=1e-9)
