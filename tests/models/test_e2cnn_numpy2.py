"""e2cnn on NumPy 2."""

from __future__ import annotations

import numpy as np
import pytest

from attnxai.models.e2cnn_numpy2 import import_e2cnn


@pytest.fixture
def kernels():
    import_e2cnn()
    from e2cnn.kernels import irreps_basis, utils

    return irreps_basis, utils


def test_psichi_is_the_product_of_psi_and_chi(kernels) -> None:
    _, utils = kernels
    theta = np.array([0.2, 0.7])
    product = np.einsum(
        "ijt,jk->ikt",
        utils.psi(theta, k=3, gamma=0.1)[:, :, 0],
        utils.chi(np.array([1]))[:, :, 0, 0],
    )
    together = utils.psichi(theta, s=np.array([1]), k=3, gamma=0.1)[:, :, 0]
    np.testing.assert_allclose(together, product, atol=1e-15)


def _bases(irreps_basis):
    from e2cnn.group import cyclic_group, dihedral_group, o2_group, so2_group

    flips, dihedral, o2, so2 = cyclic_group(2), dihedral_group(4), o2_group(3), so2_group(3)
    return {
        "R2FlipsSolution": lambda irrep: irreps_basis.R2FlipsSolution(
            flips, irrep % 2, 1, np.pi / 2, max_frequency=2
        ),
        "R2FlipsDiscreteRotationsSolution": lambda irrep: (
            irreps_basis.R2FlipsDiscreteRotationsSolution(
                dihedral, (1, irrep % 2 + 1), (1, 1), np.pi / 2, max_frequency=2
            )
        ),
        "R2FlipsContinuousRotationsSolution": lambda irrep: (
            irreps_basis.R2FlipsContinuousRotationsSolution(o2, (1, irrep + 1), (1, 1), np.pi / 2)
        ),
        "R2ContinuousRotationsSolution": lambda irrep: irreps_basis.R2ContinuousRotationsSolution(
            so2, irrep + 1, 1
        ),
    }


@pytest.mark.parametrize(
    "name",
    [
        "R2FlipsSolution",
        "R2FlipsDiscreteRotationsSolution",
        "R2FlipsContinuousRotationsSolution",
        "R2ContinuousRotationsSolution",
    ],
)
def test_bases_have_hashes_that_agree_with_equality(kernels, name) -> None:
    build = _bases(kernels[0])[name]
    first, second, other = build(0), build(0), build(1)
    assert first is not second
    assert first == second
    assert hash(first) == hash(second)
    assert first != other
    assert hash(first) != hash(other)


def test_numpy_itself_is_untouched(kernels) -> None:
    _, utils = kernels
    assert utils.np is not np
    assert np.array.__module__ == "numpy"
    assert type(np).__name__ == "module"
    values = [1.0, 2.0]
    if np.lib.NumpyVersion(np.__version__) >= "2.0.0":
        with pytest.raises(ValueError, match="copy"):
            np.array(values, copy=False)
    if np.lib.NumpyVersion(np.__version__) >= "2.3.0":
        assert not hasattr(np.ndarray, "tostring")
    np.testing.assert_array_equal(utils.np.array(values, copy=False), values)


def test_old_copy_semantics_inside_e2cnn(kernels) -> None:
    _, utils = kernels
    values = np.arange(3.0)
    assert utils.np.array(values, copy=False) is values
    assert not np.shares_memory(utils.np.array(values), values)
    assert utils.np.pi == np.pi


def test_importing_twice_changes_nothing(kernels) -> None:
    irreps_basis, utils = kernels
    shim, hash_method = utils.np, irreps_basis.R2FlipsSolution.__hash__
    assert import_e2cnn() is import_e2cnn()
    assert utils.np is shim
    assert irreps_basis.R2FlipsSolution.__hash__ is hash_method
