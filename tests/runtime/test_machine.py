import os
from dataclasses import asdict

import psutil

from kaprune_runtime.machine import describe_machine


def test_the_machine_is_the_one_that_psutil_sees():
    machine = describe_machine()
    assert machine.memory_bytes == psutil.virtual_memory().total
    assert machine.cores == len(psutil.Process().cpu_affinity())
    assert all(asdict(machine)[name] for name in ("processor", "system", "python", "onnxruntime"))
    assert os.uname().machine in machine.system
