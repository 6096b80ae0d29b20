import os
from dataclasses import asdict

import psutil

from kaprune_runtime import instruction_set
from kaprune_runtime.machine import describe_machine


def test_the_machine_is_the_one_that_psutil_sees():
    machine = describe_machine()
    assert machine.memory_bytes == psutil.virtual_memory().total
    assert machine.cores == len(psutil.Process().cpu_affinity())
    assert all(asdict(machine)[name] for name in ("processor", "system", "python", "onnxruntime"))
    assert os.uname().machine in machine.system


def test_an_arm_board_is_named_with_its_core(tmp_path):
    (tmp_path / "proc/device-tree").mkdir(parents=True)
    (tmp_path / "proc/device-tree/model").write_text("Raspberry Pi 5 Model B Rev 1.0\0")
    (tmp_path / "proc/cpuinfo").write_text(
        "processor\t: 0\nFeatures\t: fp asimd asimddp\nCPU implementer\t: 0x41\nCPU part\t: 0xd0b\n\n"
        "processor\t: 1\nCPU part\t: 0xd05\n\n"
    )
    machine = describe_machine(tmp_path)
    assert machine.processor == "Raspberry Pi 5 Model B Rev 1.0, Cortex-A76"
    assert machine.features == ("asimd", "asimddp")


def test_the_kernels_are_those_that_the_library_names(monkeypatch, tmp_path):
    assert describe_machine().kernels == instruction_set()
    monkeypatch.setenv("KAPRUNE_LIBRARY", str(tmp_path / "missing.so"))
    assert describe_machine().kernels is None
