"""How well annotators agree with each other: noise ceilings and reliability."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
