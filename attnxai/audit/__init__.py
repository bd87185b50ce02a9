"""Whether an explanation is worth comparing at all: the symmetries that it keeps."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
