from .pilot import Pilot as Pilot
from .pilot import pilot_effects as pilot_effects
from .pilot import read_pilot as read_pilot
from .plan import PowerPlan as PowerPlan
from .plan import plan_power as plan_power
from .simulation import simulate_components as simulate_components
