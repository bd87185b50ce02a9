from .calibration import calibrated as calibrated
from .calibration import calibration_images as calibration_images
from .metrics import ClassificationMetrics as ClassificationMetrics
from .metrics import classification_metrics as classification_metrics
from .prediction import class_labels as class_labels
from .prediction import class_scores as class_scores
from .temperature import TemperatureFit as TemperatureFit
from .temperature import fit_temperature as fit_temperature
