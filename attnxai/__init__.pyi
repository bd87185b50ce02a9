from . import (
    agreement as agreement,
)
from . import (
    alignment as alignment,
)
from . import (
    annotations as annotations,
)
from . import (
    audit as audit,
)
from . import (
    classification as classification,
)
from . import (
    data as data,
)
from . import (
    errors as errors,
)
from . import (
    explanations as explanations,
)
from . import (
    metrics as metrics,
)
from . import (
    models as models,
)
from . import (
    nulls as nulls,
)
from . import (
    planning as planning,
)
from . import (
    report as report,
)
from . import (
    statistics as statistics,
)
from . import (
    study as study,
)
from . import (
    training as training,
)
from . import (
    validation as validation,
)
from .agreement.comparison import ComparisonSettings as ComparisonSettings
from .agreement.comparison import compare as compare
from .agreement.model_comparison.comparison import compare_models as compare_models
from .agreement.model_comparison.of_results import contrast_results as contrast_results
from .agreement.results import AgreementResult as AgreementResult
from .alignment.pairs import align as align
from .annotations.annotation_set import AnnotationSet as AnnotationSet
from .annotations.readers import read_annotations as read_annotations
from .data.grid import GridTransform as GridTransform
from .data.image_files import read_images as read_images
from .data.images import SourceImage as SourceImage
from .data.images import SourceSet as SourceSet
from .data.mirabest import read_mirabest as read_mirabest
from .errors import AttnxaiError as AttnxaiError
from .explanations.explaining import explain as explain
from .explanations.files.formats import read_maps as read_maps
from .explanations.from_arrays import maps_from_arrays as maps_from_arrays
from .explanations.gates import attention_maps as attention_maps
from .explanations.stack import MapStack as MapStack
from .metrics import METRICS as METRICS
from .models.checkpoints import load_model as load_model
from .models.checkpoints import save_model as save_model
from .models.wrapped import wrap as wrap
from .report.document import write_report as write_report
from .training.loop import train_model as train_model

__version__: str
