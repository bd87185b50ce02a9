"""By what factor convolutions are faster by a Fourier transform over the group than by their dense filters.

    python benchmarks/convolution_paths.py                     # print the gains
    python benchmarks/convolution_paths.py --group D8          # of one group
    python benchmarks/convolution_paths.py --write             # and make the table that ships of them

One thread, single precision, from as many fields as to, by side of the image in pixels; seconds of the processor, the
smallest of ``--repeat`` runs of either, which take turns. The table that ships was measured on a processor with AVX-512; gains are of the same order on others.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

import torch

import attnxai.models
from attnxai.models.bases import is_large, steerable_basis
from attnxai.models.convolution_paths import TABLE
from attnxai.models.fourier_convolution import FourierConvolution
from attnxai.models.specification import SymmetryGroup
from attnxai.models.steerable import FilterBasis, SteerableConv2d

GROUPS = (
    *(f"C{n}" for n in (2, 3, 4, 5, 6, 8, 10, 12, 16, 24, 32)),
    *(f"D{n}" for n in (1, 2, 3, 4, 5, 6, 8, 10, 12, 16)),
)
KERNELS = (3, 5, 7, 9)
FIELDS = (1, 2, 4, 8, 16, 32, 64)
SIDES = (6, 12, 24, 48)
N_IMAGES = 4
# multiply-adds of the dense convolution and channels beyond which nothing is measured: they gain more still
MOST_OPERATIONS, MOST_CHANNELS = 60e9, 1024


def gain(basis: FilterBasis, n_fields: int, side: int, repeat: int) -> float:
    """By what factor the transform is faster on images of a side."""
    convolution = SteerableConv2d(
        basis, n_fields, n_fields, generator=torch.Generator().manual_seed(0)
    )
    filters = convolution.dense_filter()
    assert basis.harmonics is not None
    fourier = FourierConvolution(basis.harmonics, convolution.weights)
    images = torch.randn(N_IMAGES, filters.shape[1], side, side)
    dense, transformed = [], []
    for _ in range(repeat):
        start = time.process_time()
        torch.nn.functional.conv2d(images, filters, padding=convolution.padding)
        middle = time.process_time()
        fourier(images)
        dense.append(middle - start)
        transformed.append(time.process_time() - middle)
    return min(dense) / min(transformed)


@torch.no_grad()
def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--group", action="append", choices=GROUPS)
    parser.add_argument("--repeat", type=int, default=4)
    parser.add_argument("--write", action="store_true")
    options = parser.parse_args()
    torch.set_num_threads(1)
    file = Path(attnxai.models.__file__).with_name(TABLE)
    table = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    print("| Group | Kernel | Side | " + " | ".join(f"{n} fields" for n in FIELDS) + " |")
    print("| --- " * (3 + len(FIELDS)) + "|")
    for name in options.group or GROUPS:
        group = SymmetryGroup.from_name(name)
        for kernel in KERNELS:
            if is_large(group, kernel):
                continue
            basis = FilterBasis(steerable_basis(group, kernel, lifting=False), group=group)
            for side in SIDES:
                gains = {}
                for n in FIELDS:
                    channels = n * group.size
                    operations = (channels * kernel * side) ** 2 * N_IMAGES
                    if channels <= MOST_CHANNELS and operations <= MOST_OPERATIONS:
                        gains[str(n)] = round(gain(basis, n, side, options.repeat), 2)
                table.setdefault(name, {}).setdefault(str(kernel), {})[str(side)] = gains
                cells = [f"{gains[str(n)]:.3g}" if str(n) in gains else "" for n in FIELDS]
                print(f"| {name} | {kernel} | {side} | {' | '.join(cells)} |", flush=True)
            if options.write:
                file.write_text(json.dumps(table, separators=(",", ":")) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
