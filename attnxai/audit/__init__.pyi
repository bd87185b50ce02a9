from .consistency import RotationConsistency as RotationConsistency
from .consistency import rotation_consistency as rotation_consistency
from .curves import Faithfulness as Faithfulness
from .equivariance import symmetry_errors as symmetry_errors
from .faithfulness import FaithfulnessTest as FaithfulnessTest
from .faithfulness import faithfulness_tests as faithfulness_tests
from .results import SymmetryErrors as SymmetryErrors
