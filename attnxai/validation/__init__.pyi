from .plan import ValidationPlan as ValidationPlan
from .plan import run_validation as run_validation
from .results import ValidationResult as ValidationResult
from .simulated_data import simulate_sources as simulate_sources
