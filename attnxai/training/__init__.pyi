from .held_out import read_held_out as read_held_out
from .history import EpochResult as EpochResult
from .loop import train_model as train_model
from .settings import TrainingSettings as TrainingSettings
