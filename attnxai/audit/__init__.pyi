from .consistency import RotationConsistency as RotationConsistency
from .consistency import rotation_consistency as rotation_consistency
from .equivariance import symmetry_errors as symmetry_errors
from .results import SymmetryErrors as SymmetryErrors
