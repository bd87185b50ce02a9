from .annotation_set import Annotation as Annotation
from .annotation_set import AnnotationSet as AnnotationSet
from .shapes import Frame as Frame
from .shapes import Label as Label
from .shapes import Shape as Shape
from .shapes import ShapeKind as ShapeKind
from .table import read_annotations as read_annotations
