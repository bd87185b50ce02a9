from .gates import attention_maps as attention_maps
from .stack import MapStack as MapStack
from .stack import Split as Split
