"""A matrix in compressed sparse rows, and its products by the native library."""

import ctypes
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from itertools import pairwise
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn

from kaprune_runtime.errors import KapruneError
from kaprune_runtime.operators import instruction_set, library_path

_TOKENS_AT_ONCE = 128
"""That the library takes from memory together; a thread gets some of these groups."""

_Result = TypeVar("_Result")


@dataclass(frozen=True)
class SparseRows:
    """Where the kept weights of a matrix [rows, columns] are."""

    shape: tuple[int, int]
    starts: Tensor
    """First weight of each row, and their number, int32 [rows + 1]."""
    columns: Tensor
    """Column of each weight, int32 [weights]."""

    @classmethod
    def of(cls, rows: Tensor, columns: Tensor, shape: Sequence[int]) -> "SparseRows":
        """Take the row and the column of each weight, row by row, both [weights]."""
        starts = nn.functional.pad(rows.bincount(minlength=shape[0]).cumsum(0), (1, 0))
        return cls((shape[0], shape[1]), starts.int(), columns.int())

    def multiply(self, values: Tensor, x: Tensor, bias: Tensor | None = None) -> Tensor:
        """Compute x W' + bias, [tokens, rows].

        Args:
            values: The kept weights, [weights].
            x: [tokens, columns].
            bias: [rows].
        """
        y = x.new_empty(len(x), self.shape[0])
        own = *self.shape, *_addresses(self.starts, self.columns, values, bias)
        _share_out(
            len(x),
            lambda part: _library().KapruneMultiply(*own, len(x[part]), *_addresses(x[part], y[part])),
        )
        return y

    def gradient(self, x: Tensor, dy: Tensor) -> Tensor:
        """Compute the gradient of the kept weights, [weights], from x and that of `multiply`'s result."""
        own = *self.shape, *_addresses(self.starts, self.columns)

        def partial(part: slice) -> Tensor:
            sums = x.new_zeros(len(self.columns))
            _library().KapruneGradient(*own, len(x[part]), *_addresses(x[part], dy[part], sums))
            return sums

        first, *others = _share_out(len(x), partial)
        return sum(others, first)


def available() -> bool:
    """Tell whether the native library is there.

    Raises:
        KapruneError: It is, but does not load or has no kernels as KAPRUNE_INSTRUCTION_SET names them.
    """
    try:
        library_path()
    except KapruneError:
        return False
    instruction_set()
    return True


def _addresses(*tensors: Tensor | None) -> list[ctypes.c_void_p]:
    return [ctypes.c_void_p(None if tensor is None else tensor.data_ptr()) for tensor in tensors]


def _share_out(tokens: int, work: Callable[[slice], _Result]) -> list[_Result]:
    """Do some work in as many threads as PyTorch has, each with neighbouring tokens."""
    threads = torch.get_num_threads()
    groups = -(-tokens // _TOKENS_AT_ONCE)
    ends = [groups * thread // threads * _TOKENS_AT_ONCE for thread in range(threads + 1)]
    parts = [slice(start, min(end, tokens)) for start, end in pairwise(ends) if start < end]
    return [work(parts[0])] if len(parts) == 1 else list(_threads(threads).map(work, parts))


@cache
def _threads(count: int) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(count)


@cache
def _library() -> ctypes.CDLL:
    library = ctypes.CDLL(str(library_path()))
    size, address = ctypes.c_size_t, ctypes.c_void_p
    matrix: list[Any] = [size, size, address, address]
    library.KapruneMultiply.argtypes = [*matrix, address, address, size, address, address]
    library.KapruneGradient.argtypes = [*matrix, size, address, address, address]
    for function in (library.KapruneMultiply, library.KapruneGradient):
        function.restype = ctypes.c_bool
        function.errcheck = cast(Any, _check)
    return library


def _check(done: Any, function: Any, arguments: Any) -> Any:
    if not done:
        raise KapruneError("not enough memory for a sparse product; use a smaller batch")
    return done
