from .bootstrap import IntervalKind as IntervalKind
from .interval import Interval as Interval
