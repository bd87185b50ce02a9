"""Plain words for the maps of explanation methods, as reports and the command line need them without PyTorch."""

from __future__ import annotations

BUILT_IN = {
    "cam": "class activation map",
    "deeplift": "DeepLIFT",
    "evidence": "evidence",
    "evidence_magnitude": "magnitude of the evidence",
    "evidence_relative": "evidence relative to empty sky",
    "gates": "gates",
    "gates_centred": "centred gates",
    "gates_magnitude": "gate magnitudes",
    "gradcam": "Grad-CAM",
    "gradient_shap": "GradientSHAP",
    "guided": "guided backpropagation",
    "guided_gradcam": "guided Grad-CAM",
    "input_x_gradient": "input × gradient",
    "integrated_gradients": "integrated gradients",
    "island_ablation": "ablation of islands",
    "occlusion": "occlusion",
    "patch_ablation": "ablation of patches",
    "saliency": "saliency",
    "smoothgrad": "SmoothGrad",
    "superpixel_ablation": "ablation of superpixels",
}
"""Words within a sentence by name of the method; a map is called after its method."""
LABELS = dict(BUILT_IN)
"""The same, with those of methods that were registered from elsewhere with a label."""
