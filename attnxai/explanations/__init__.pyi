from .explaining import EXPLANATIONS as EXPLANATIONS
from .explaining import explain as explain
from .gates import attention_maps as attention_maps
from .inputs import NetworkInputs as NetworkInputs
from .method import ExplanationMethod as ExplanationMethod
from .method import register_explanation as register_explanation
from .stack import MapStack as MapStack
from .stack import Split as Split
