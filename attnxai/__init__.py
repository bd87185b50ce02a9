"""Maps of attention networks against what astronomers mark.

Three lines are the whole interface for most people::

    maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    result = attnxai.compare(maps, attnxai.read_annotations("expert.csv"), images)
    result.plot()

Names are imported when they are first used, so that ``import attnxai`` is fast.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from attnxai.agreement.comparison import ComparisonSettings as ComparisonSettings
    from attnxai.agreement.comparison import compare as compare
    from attnxai.agreement.results import AgreementResult as AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet as AnnotationSet
    from attnxai.annotations.table import read_annotations as read_annotations
    from attnxai.data.images import SourceImage as SourceImage
    from attnxai.data.images import SourceSet as SourceSet
    from attnxai.data.images import read_image as read_image
    from attnxai.data.images import read_images as read_images
    from attnxai.data.mirabest import read_mirabest as read_mirabest
    from attnxai.explanations.gates import attention_maps as attention_maps
    from attnxai.explanations.stack import MapStack as MapStack
    from attnxai.models.checkpoints import load_model as load_model
    from attnxai.models.checkpoints import save_model as save_model

__version__ = "0.1.0"

_HOMES = {
    "AgreementResult": "attnxai.agreement.results",
    "AnnotationSet": "attnxai.annotations.annotation_set",
    "ComparisonSettings": "attnxai.agreement.comparison",
    "MapStack": "attnxai.explanations.stack",
    "SourceImage": "attnxai.data.images",
    "SourceSet": "attnxai.data.images",
    "attention_maps": "attnxai.explanations.gates",
    "compare": "attnxai.agreement.comparison",
    "load_model": "attnxai.models.checkpoints",
    "read_annotations": "attnxai.annotations.table",
    "read_image": "attnxai.data.images",
    "read_images": "attnxai.data.images",
    "read_mirabest": "attnxai.data.mirabest",
    "save_model": "attnxai.models.checkpoints",
}

__all__ = [
    "AgreementResult",
    "AnnotationSet",
    "ComparisonSettings",
    "MapStack",
    "SourceImage",
    "SourceSet",
    "__version__",
    "attention_maps",
    "compare",
    "load_model",
    "read_annotations",
    "read_image",
    "read_images",
    "read_mirabest",
    "save_model",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attnxai' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
