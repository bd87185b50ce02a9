"""Images of radio sources, where their pixels lie on the sky, and readers of image files."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
