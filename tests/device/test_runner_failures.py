"""What can go wrong on a device without Python: one line says it, and nothing is left there."""

import os
import shutil
import subprocess
from contextlib import suppress

import psutil
import pytest
from device_processes import Watch, processes, refused

from kaprune_edge.bench import bench
from kaprune_edge.devices import open_device
from kaprune_edge.progress import Silent
from kaprune_runtime import InputError, KapruneError, library_path

DEVICE = "ssh://device"
QUICK = {"sequence_length": 16, "rounds": 2, "runs": 2}
MIPS = b"\x7fELF" + bytes(14) + (8).to_bytes(2, "little")


def prepare(deployment, address=DEVICE, **options):
    with open_device(address, **options) as device:
        device.prepare([deployment], Silent())


def test_an_onnxruntime_for_another_processor_or_none(server, deployment, tmp_path):
    other = tmp_path / "libonnxruntime.so"
    other.write_bytes(MIPS)
    said = refused(InputError, prepare, deployment=deployment, onnxruntime=other)
    assert said == f"{other} is not for {os.uname().machine} processors; give one that is"
    other.unlink()
    assert "cannot be read" in refused(InputError, prepare, deployment=deployment, onnxruntime=other)


def test_a_library_that_is_not_onnxruntime(server, deployment):
    options = {"device": DEVICE, "device_onnxruntime": library_path()}
    said = refused(InputError, bench, deployments=[deployment], **options, **QUICK)
    assert said.startswith("cannot load the model: ")
    assert "OrtGetApiBase" in said


def test_a_runner_that_is_missing_or_for_another_processor(server, deployment, onnxruntime, tmp_path):
    library = tmp_path / "libkaprune.so"
    shutil.copy(library_path(), library)
    options = {"deployment": deployment, "onnxruntime": onnxruntime, "library": library}
    assert "kaprune-runner cannot be read" in refused(InputError, prepare, **options)
    (tmp_path / "kaprune-runner").write_bytes(MIPS)
    assert "kaprune-runner is not for" in refused(InputError, prepare, **options)


def test_a_runner_that_does_not_start(server, deployment, onnxruntime, tmp_path):
    library = tmp_path / "libkaprune.so"
    shutil.copy(library_path(), library)
    runner = library.with_name("kaprune-runner")
    runner.write_bytes(library_path().with_name("kaprune-runner").read_bytes()[:5000])
    said = refused(KapruneError, prepare, deployment=deployment, onnxruntime=onnxruntime, library=library)
    assert said.startswith("the runner does not start on device (")


def test_a_model_that_onnxruntime_refuses(server, deployment, onnxruntime, tmp_path):
    broken = tmp_path / "broken"
    shutil.copytree(deployment, broken)
    (broken / "kaprune.json").unlink()
    (broken / "model.onnx").write_bytes((broken / "model.onnx").read_bytes()[:-1000])
    options = {"device": DEVICE, "device_onnxruntime": onnxruntime}
    said = refused(InputError, bench, deployments=[broken], **options, **QUICK)
    assert said.startswith("cannot load the model: ")


@pytest.mark.parametrize("threads", [10**6, 10**30])
def test_more_threads_than_cores(server, deployment, onnxruntime, threads):
    options = {"device": DEVICE, "device_onnxruntime": onnxruntime, "threads": threads}
    said = refused(InputError, bench, deployments=[deployment], **options, **QUICK)
    assert said == f"the machine has {os.cpu_count()} cores; give 1 to {os.cpu_count()} threads"


def test_a_folder_that_cannot_be_made(server, deployment, onnxruntime):
    said = refused(
        KapruneError, prepare, deployment=deployment, onnxruntime=onnxruntime, address=f"{DEVICE}/proc/kept"
    )
    assert said.startswith("the runner does not start on device (")
    assert "/proc/kept" in said


def test_a_disk_that_fills_up_while_copying(server, deployment, onnxruntime, small_disk, monkeypatch):
    monkeypatch.setattr("kaprune_edge.devices.remote.RemoteDevice._check_space", lambda *_: None)
    options = {"deployment": deployment, "onnxruntime": onnxruntime, "address": f"{DEVICE}{small_disk}"}
    said = refused(KapruneError, prepare, **options)
    assert said.startswith("the runner does not start on device (")
    assert "No space left on device" in said
    subprocess.run(["mount", "-o", "remount,size=400k", small_disk], check=True)
    assert refused(KapruneError, prepare, **options) == "device: No space left on device"
    assert [path.name for path in small_disk.iterdir()] == ["files"]


def test_a_connection_that_is_killed(server, deployment, onnxruntime):
    def kill():
        assert len(processes(server.device)) >= 3  # runner, sweeper and model
        for session in psutil.Process(server.process.pid).children():
            session.kill()

    options = {"device": DEVICE, "device_onnxruntime": onnxruntime, "progress": Watch(kill)}
    said = refused(KapruneError, bench, deployments=[deployment], **options, **QUICK)
    assert said.startswith("lost the connection to device: ")


def test_a_model_that_is_killed(server, deployment, onnxruntime):
    def kill():
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                if process.name() == "kaprune-runner" and process.cwd().startswith(str(server.device)):
                    process.kill()

    options = {"device": DEVICE, "device_onnxruntime": onnxruntime, "progress": Watch(kill)}
    said = refused(KapruneError, bench, deployments=[deployment], **options, **QUICK)
    assert f"the process that ran {deployment} was killed (SIGKILL)" in said


def test_an_interrupt(server, deployment, onnxruntime):
    def interrupt():
        assert list(server.device.iterdir())
        raise KeyboardInterrupt

    options = {"device": DEVICE, "device_onnxruntime": onnxruntime, "progress": Watch(interrupt)}
    with pytest.raises(KeyboardInterrupt):
        bench([deployment], **options, **QUICK)
