"""Values with their uncertainty: intervals, the bootstrap, and how both are written."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
