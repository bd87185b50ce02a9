"""Make e2cnn 0.2.3 run on NumPy 2.

e2cnn uses two things that NumPy 2 took away: ``ndarray.tostring`` (in the ``__hash__`` of four classes of
``e2cnn.kernels.irreps_basis``) and ``np.array(..., copy=False)`` meaning "copy if needed" (in
``e2cnn.kernels.utils``). Both are given back inside e2cnn only; NumPy itself stays as it is.
"""

from __future__ import annotations

import types
import warnings
from typing import Any

import numpy as np


class _NumpyWithOldArray(types.ModuleType):
    """NumPy, with ``array(..., copy=False)`` meaning what it meant before NumPy 2."""

    def __getattr__(self, name: str) -> Any:
        return getattr(np, name)

    @staticmethod
    def array(values: Any, *args: Any, copy: bool | None = True, **kwargs: Any) -> Any:
        return np.array(values, *args, copy=copy or None, **kwargs)


_CLASSES_WITH_OLD_HASH = (
    "R2FlipsSolution",
    "R2ContinuousRotationsSolution",
    "R2FlipsDiscreteRotationsSolution",
    "R2FlipsContinuousRotationsSolution",
)


def _hash_of_basis(self: Any) -> int:
    gamma = self.gamma.tobytes() if isinstance(self.gamma, np.ndarray) else self.gamma
    return hash((self.in_irrep, self.out_irrep, self.mu.tobytes(), gamma))


def import_e2cnn() -> types.ModuleType:
    """Import e2cnn, mended for the NumPy that is installed."""
    with warnings.catch_warnings():
        # e2cnn 0.2.3 and its use of sympy and scipy warn about things that only its authors can change
        warnings.simplefilter("ignore")
        import e2cnn
        import e2cnn.gspaces
        import e2cnn.nn
        from e2cnn.kernels import irreps_basis, utils

    if not isinstance(utils.np, _NumpyWithOldArray):
        utils.np = _NumpyWithOldArray("numpy")
        for name in _CLASSES_WITH_OLD_HASH:
            getattr(irreps_basis, name).__hash__ = _hash_of_basis
    module: types.ModuleType = e2cnn
    return module
