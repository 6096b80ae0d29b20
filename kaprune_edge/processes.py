"""What the processes of one training share, where a launcher such as `accelerate launch` started several.

All processes do the same on the same rows, each with its part of every batch. Its loss is its part of the
batch's loss, so that losses and gradients add up to those of a lone process. What is written or told, the
main process does alone. A lone process shares nothing, at no cost.
"""

import atexit
from collections.abc import Callable, Iterable
from datetime import timedelta
from functools import wraps
from typing import Any, ParamSpec, TypeVar

import numpy as np
import torch
import torch.distributed as dist
from accelerate.utils import get_cpu_distributed_information
from torch import Tensor

PATIENCE = timedelta(days=1)
"""How long processes wait for what the main one does alone, such as augmenting rows."""

_P = ParamSpec("_P")
_R = TypeVar("_R")
_Row = TypeVar("_Row")


def join() -> None:
    """Meet the processes that this one was launched with, if any."""
    launched = get_cpu_distributed_information()
    if launched.world_size > 1 and not dist.is_initialized():
        dist.init_process_group("gloo", rank=launched.rank, world_size=launched.world_size, timeout=PATIENCE)
        atexit.register(dist.destroy_process_group)


def is_main() -> bool:
    """Whether this process is the one that writes and tells."""
    return not dist.is_initialized() or dist.get_rank() == 0


def on_main(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """Let the main process alone do something once all have come to it; all get what it returns or raises."""

    @wraps(function)
    def run(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not dist.is_initialized():
            return function(*args, **kwargs)
        dist.barrier()
        outcome: list[Any] = [None, None]
        if is_main():
            try:
                outcome[0] = function(*args, **kwargs)
            except Exception as error:
                outcome[1] = error
        dist.broadcast_object_list(outcome)
        result, failure = outcome
        if failure is not None:
            raise failure
        return result

    return run


def part(rows: list[_Row]) -> list[_Row]:
    """Choose this process's rows of a batch; all of them where there is not one for each process."""
    if not dist.is_initialized() or len(rows) < dist.get_world_size():
        return rows
    return rows[dist.get_rank() :: dist.get_world_size()]


def shares(*counts: float | Tensor) -> list[float]:
    """Weigh means over this process's part of a batch so that those of all processes add up to the batch's.

    Args:
        counts: Of how much each mean is taken here.

    Returns:
        The part of each count in that of all processes.
    """
    if not dist.is_initialized():
        return [1.0] * len(counts)
    own = torch.tensor(counts, dtype=torch.float64)
    total = own.clone()
    dist.all_reduce(total)
    return (own / total).tolist()


def add(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by the sums of all processes'."""
    if dist.is_initialized():
        for work in [dist.all_reduce(tensor, async_op=True) for tensor in tensors]:
            work.wait()


def broadcast(tensors: Iterable[Tensor]) -> None:
    """Replace tensors by the main process's."""
    if dist.is_initialized():
        for work in [dist.broadcast(tensor.detach(), 0, async_op=True) for tensor in tensors]:
            work.wait()


def draw_apart(*seed: int) -> None:
    """Let this process draw other dropout than the main one, which goes on with its own."""
    if not is_main():
        torch.manual_seed(int(np.random.SeedSequence([*seed, dist.get_rank()]).generate_state(1)[0]))
