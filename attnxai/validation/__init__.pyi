from .results import CalibrationResult as CalibrationResult
from .scenes import simulate_sources as simulate_sources
from .suite import SuitePlan as SuitePlan
from .suite import run_suite as run_suite
