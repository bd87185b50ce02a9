"""Audits of a model's maps before they are compared: where evidence lies, faithfulness, randomisation, noise, rotations.

:data:`AUDITS` lists them, and :func:`run_audits` runs them. What a module measures, its neighbour of the same name with
``_result`` holds.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
