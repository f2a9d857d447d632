"""Small matrix products on a CPU, rewritten for the compiler.

The products of ten hidden units cost more in the call of the library than in arithmetic. Those
below `WRITTEN_OUT` multiplications are written out as a sum, which the compiler fuses with what
stands around it; products with few columns are asked for transposed, for which the library has the
better kernel. On two cores of an AMD EPYC, one thread, (32, 784) x (784, 10): 13.4 us as it stands,
7.8 us transposed; (32, 10) x (10, 10): 2.6 us, of which nothing is left.
"""

from collections.abc import Callable, Mapping

import torch
from torch import Tensor
from torch._ops import OpOverload

# what Inductor 2.11 and 2.12 make of it writes beyond its buffers (`corrupted size vs. prev_size`,
# also under MALLOC_CHECK_=3); 2.14 does not, 2.13 was not looked at
SOUND_SINCE = (2, 14)
WRITTEN_OUT = 5_000  # multiplications
FEW_COLUMNS = 16

aten = torch.ops.aten


def product(left: Tensor, right: Tensor) -> Tensor:
    """Multiply (M, K) x (K, N) in the form that compiles best; NotImplemented to leave it."""
    rows, depth = left.shape
    columns = right.shape[1]
    if rows * depth * columns <= WRITTEN_OUT:
        return (left[:, :, None] * right[None]).sum(1)
    if columns <= FEW_COLUMNS < rows and right.stride(0) == 1:
        transposed: Tensor = aten.mm.default(right.t(), left.t())
        return transposed.t()
    return NotImplemented  # type: ignore[no-any-return]


def product_and_bias(
    bias: Tensor, left: Tensor, right: Tensor, *, beta: float = 1, alpha: float = 1
) -> Tensor:
    """Add a bias (N,) to each row of `product`; NotImplemented to leave it."""
    if beta != 1 or alpha != 1:
        return NotImplemented  # type: ignore[no-any-return]
    found = product(left, right)
    return found if found is NotImplemented else found + bias


def decompositions(version: str) -> Mapping[OpOverload, Callable[..., Tensor]]:
    """Return the operations that a compiled step on a CPU replaces under this version of torch."""
    major, minor, *_ = version.split(".")
    if (int(major), int(minor)) < SOUND_SINCE:
        return {}
    return {aten.mm.default: product, aten.addmm.default: product_and_bias}


DECOMPOSITIONS = decompositions(torch.__version__)
