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
    from attnxai.agreement.model_comparison.of_results import ResultContrasts as ResultContrasts
    from attnxai.agreement.model_comparison.of_results import contrast_results as contrast_results
    from attnxai.agreement.model_comparison.trend import Direction as Direction
    from attnxai.agreement.model_comparison.trend import TrendTest as TrendTest
    from attnxai.agreement.model_comparison.trend import page_trend as page_trend
    from attnxai.agreement.model_comparison.trend import permutation_slope as permutation_slope
    from attnxai.agreement.results import AgreementResult as AgreementResult
    from attnxai.annotations.annotation_set import AnnotationSet as AnnotationSet
    from attnxai.annotations.table import read_annotations as read_annotations
    from attnxai.audit.consistency import RotationConsistency as RotationConsistency
    from attnxai.audit.consistency import rotation_consistency as rotation_consistency
    from attnxai.audit.equivariance import symmetry_errors as symmetry_errors
    from attnxai.audit.results import SymmetryErrors as SymmetryErrors
    from attnxai.classification.calibration import calibrated as calibrated
    from attnxai.classification.calibration import calibration_images as calibration_images
    from attnxai.classification.metrics import ClassificationMetrics as ClassificationMetrics
    from attnxai.classification.metrics import classification_metrics as classification_metrics
    from attnxai.classification.prediction import class_labels as class_labels
    from attnxai.classification.prediction import class_scores as class_scores
    from attnxai.classification.temperature import TemperatureFit as TemperatureFit
    from attnxai.classification.temperature import fit_temperature as fit_temperature
    from attnxai.data.frdeep import read_frdeep as read_frdeep
    from attnxai.data.images import SourceImage as SourceImage
    from attnxai.data.images import SourceSet as SourceSet
    from attnxai.data.images import read_image as read_image
    from attnxai.data.images import read_images as read_images
    from attnxai.data.labelled import LabelledData as LabelledData
    from attnxai.data.labelled import read_labelled_folder as read_labelled_folder
    from attnxai.data.labelled import read_training_images as read_training_images
    from attnxai.data.mirabest import Confidence as Confidence
    from attnxai.data.mirabest import read_mirabest as read_mirabest
    from attnxai.explanations.gates import attention_maps as attention_maps
    from attnxai.explanations.stack import MapStack as MapStack
    from attnxai.models.card_file import read_card as read_card
    from attnxai.models.card_file import write_card as write_card
    from attnxai.models.cards import ModelCard as ModelCard
    from attnxai.models.checkpoints import load_model as load_model
    from attnxai.models.checkpoints import save_model as save_model
    from attnxai.models.model import AttentionModel as AttentionModel
    from attnxai.models.model import TrainingRecord as TrainingRecord
    from attnxai.models.preprocessing import Preprocessing as Preprocessing
    from attnxai.models.specification import ModelSpec as ModelSpec
    from attnxai.models.specification import compact_spec as compact_spec
    from attnxai.models.specification import paper_spec as paper_spec
    from attnxai.study.claims import Claim as Claim
    from attnxai.study.claims import judge_claims as judge_claims
    from attnxai.study.convergence import TimeToReference as TimeToReference
    from attnxai.study.convergence import time_to_reference as time_to_reference
    from attnxai.study.data import AnnotationRequest as AnnotationRequest
    from attnxai.study.data import DataRequest as DataRequest
    from attnxai.study.execution import carry_out as carry_out_study
    from attnxai.study.execution import prepare as prepare_study
    from attnxai.study.folder import StudyFolder as StudyFolder
    from attnxai.study.measurement import StudyRun as StudyRun
    from attnxai.study.plan import MeasureSettings as MeasureSettings
    from attnxai.study.plan import StudyPlan as StudyPlan
    from attnxai.study.summary import StudySummary as StudySummary
    from attnxai.study.summary import summarise as summarise_study
    from attnxai.training.held_out import read_held_out as read_held_out
    from attnxai.training.history import EpochResult as EpochResult
    from attnxai.training.loop import train_model as train_model
    from attnxai.training.settings import TrainingSettings as TrainingSettings

__version__ = "0.1.0"

_HOMES = {
    "AgreementResult": "attnxai.agreement.results",
    "Direction": "attnxai.agreement.model_comparison.trend",
    "AnnotationRequest": "attnxai.study.data",
    "AnnotationSet": "attnxai.annotations.annotation_set",
    "AttentionModel": "attnxai.models.model",
    "Claim": "attnxai.study.claims",
    "ClassificationMetrics": "attnxai.classification.metrics",
    "ComparisonSettings": "attnxai.agreement.comparison",
    "Confidence": "attnxai.data.mirabest",
    "DataRequest": "attnxai.study.data",
    "EpochResult": "attnxai.training.history",
    "LabelledData": "attnxai.data.labelled",
    "MapStack": "attnxai.explanations.stack",
    "MeasureSettings": "attnxai.study.plan",
    "ModelCard": "attnxai.models.cards",
    "ModelSpec": "attnxai.models.specification",
    "Preprocessing": "attnxai.models.preprocessing",
    "ResultContrasts": "attnxai.agreement.model_comparison.of_results",
    "RotationConsistency": "attnxai.audit.consistency",
    "SourceImage": "attnxai.data.images",
    "SourceSet": "attnxai.data.images",
    "StudyFolder": "attnxai.study.folder",
    "StudyPlan": "attnxai.study.plan",
    "StudyRun": "attnxai.study.measurement",
    "StudySummary": "attnxai.study.summary",
    "SymmetryErrors": "attnxai.audit.results",
    "TemperatureFit": "attnxai.classification.temperature",
    "TimeToReference": "attnxai.study.convergence",
    "TrainingRecord": "attnxai.models.model",
    "TrainingSettings": "attnxai.training.settings",
    "TrendTest": "attnxai.agreement.model_comparison.trend",
    "attention_maps": "attnxai.explanations.gates",
    "calibrated": "attnxai.classification.calibration",
    "calibration_images": "attnxai.classification.calibration",
    "carry_out_study": "attnxai.study.execution",
    "class_labels": "attnxai.classification.prediction",
    "class_scores": "attnxai.classification.prediction",
    "classification_metrics": "attnxai.classification.metrics",
    "compact_spec": "attnxai.models.specification",
    "compare": "attnxai.agreement.comparison",
    "contrast_results": "attnxai.agreement.model_comparison.of_results",
    "fit_temperature": "attnxai.classification.temperature",
    "judge_claims": "attnxai.study.claims",
    "load_model": "attnxai.models.checkpoints",
    "page_trend": "attnxai.agreement.model_comparison.trend",
    "paper_spec": "attnxai.models.specification",
    "permutation_slope": "attnxai.agreement.model_comparison.trend",
    "prepare_study": "attnxai.study.execution",
    "read_annotations": "attnxai.annotations.table",
    "read_card": "attnxai.models.card_file",
    "read_frdeep": "attnxai.data.frdeep",
    "read_held_out": "attnxai.training.held_out",
    "read_image": "attnxai.data.images",
    "read_images": "attnxai.data.images",
    "read_labelled_folder": "attnxai.data.labelled",
    "read_mirabest": "attnxai.data.mirabest",
    "read_training_images": "attnxai.data.labelled",
    "rotation_consistency": "attnxai.audit.consistency",
    "save_model": "attnxai.models.checkpoints",
    "summarise_study": "attnxai.study.summary",
    "symmetry_errors": "attnxai.audit.equivariance",
    "time_to_reference": "attnxai.study.convergence",
    "train_model": "attnxai.training.loop",
    "write_card": "attnxai.models.card_file",
}

# under names that say what they are about, outside the room of studies
_NAMES_AT_HOME = {
    "carry_out_study": "carry_out",
    "prepare_study": "prepare",
    "summarise_study": "summarise",
}

__all__ = [
    "AgreementResult",
    "AnnotationRequest",
    "AnnotationSet",
    "AttentionModel",
    "Claim",
    "ClassificationMetrics",
    "ComparisonSettings",
    "Confidence",
    "DataRequest",
    "Direction",
    "EpochResult",
    "LabelledData",
    "MapStack",
    "MeasureSettings",
    "ModelCard",
    "ModelSpec",
    "Preprocessing",
    "ResultContrasts",
    "RotationConsistency",
    "SourceImage",
    "SourceSet",
    "StudyFolder",
    "StudyPlan",
    "StudyRun",
    "StudySummary",
    "SymmetryErrors",
    "TemperatureFit",
    "TimeToReference",
    "TrainingRecord",
    "TrainingSettings",
    "TrendTest",
    "__version__",
    "attention_maps",
    "calibrated",
    "calibration_images",
    "carry_out_study",
    "class_labels",
    "class_scores",
    "classification_metrics",
    "compact_spec",
    "compare",
    "contrast_results",
    "fit_temperature",
    "judge_claims",
    "load_model",
    "page_trend",
    "paper_spec",
    "permutation_slope",
    "prepare_study",
    "read_annotations",
    "read_card",
    "read_frdeep",
    "read_held_out",
    "read_image",
    "read_images",
    "read_labelled_folder",
    "read_mirabest",
    "read_training_images",
    "rotation_consistency",
    "save_model",
    "summarise_study",
    "symmetry_errors",
    "time_to_reference",
    "train_model",
    "write_card",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'attnxai' has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), _NAMES_AT_HOME.get(name, name))


def __dir__() -> list[str]:
    return sorted(__all__)
