"""What a launcher of several processes tells each by the environment, before anything heavy is imported."""

import os

_NAMES = {"WORLD_SIZE": "RANK", "PMI_SIZE": "PMI_RANK", "OMPI_COMM_WORLD_SIZE": "OMPI_COMM_WORLD_RANK"}
"""Number of processes -> number of this one, as torchrun, MPICH and Open MPI call them."""

SECONDS_TO_BE_ENDED = 10
"""Within which a launcher ends all processes once one has failed."""

_LAUNCHED = [(size, index) for size, index in _NAMES.items() if int(os.environ.get(size, 1)) > 1]

IS_ALONE = not _LAUNCHED
"""Whether no launcher started several processes."""

IS_MAIN = not any(int(os.environ.get(index, 0)) for _, index in _LAUNCHED)
"""Whether this process speaks for all that it was launched with."""

IS_LEFT_ALONE = {"ACCELERATE_USE_CPU", "MASTER_PORT"} <= os.environ.keys() and not _LAUNCHED
"""Whether `accelerate launch --cpu` was to start several processes, which it does with MPI alone."""
