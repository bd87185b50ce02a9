"""Explanations of radio-galaxy classifiers compared with astronomers' annotations.

Three lines are enough for most purposes::

    maps = attnxai.attention_maps(attnxai.load_model("d8.pt"), images)
    result = attnxai.compare(maps, attnxai.read_annotations("expert.csv"), images)
    result.plot()

Everything else is in the subpackages, such as :mod:`attnxai.annotations` or :mod:`attnxai.models`. Names are
imported when they are first used, so that ``import attnxai`` is fast; ``__init__.pyi`` beside each
``__init__.py`` lists them.
"""

import lazy_loader

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
