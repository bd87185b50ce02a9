from .consensus import with_consensus as with_consensus
from .looks import Look as Look
from .pairs import AlignedPairs as AlignedPairs
from .pairs import align as align
from .rasterise import rasterise_annotations as rasterise_annotations
from .resample import resample_to_field as resample_to_field
from .resample import smooth_to_layer as smooth_to_layer
