"""Runs through adb: a stand-in that speaks its command line, and the real client against a server of ours."""

import os
import shutil
import threading

import numpy as np
import pytest
from adb_server import LOCKED, UNAUTHORIZED, AdbServer
from device_processes import executable, what_is_left

from kaprune_edge.bench import bench
from kaprune_edge.devices import open_device
from kaprune_edge.progress import Silent
from kaprune_runtime import Classifier, KapruneError

SERIAL = "emulator-5554"
STAND_IN = """
[ "$1 $3 $4 $#" = "-s shell -T 5" ] || { echo "adb: usage: adb [-s SERIAL] shell -T COMMAND" >&2; exit 1; }
[ "$2" != LOCKED ] || { echo "error: UNAUTHORIZED" >&2; exit 1; }
[ "$2" = SERIAL ] || { echo "error: device '$2' not found" >&2; exit 1; }
TMPDIR=FOLDER exec sh -c "$5"
"""


@pytest.fixture(params=["stand-in", "client"])
def phone(request, tmp_path, monkeypatch):
    """Connect a device to adb; gives its folder for temporary files, in which nothing may be left."""
    folder = tmp_path / "phone"
    folder.mkdir()
    if request.param == "stand-in":
        script = STAND_IN.replace("SERIAL ]", f"{SERIAL} ]").replace("FOLDER", str(folder))
        script = script.replace("LOCKED", LOCKED).replace("UNAUTHORIZED", UNAUTHORIZED.replace("$", r"\$"))
        (tmp_path / "bin").mkdir()
        executable(tmp_path / "bin" / "adb", script)
        monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}{os.pathsep}{os.environ['PATH']}")
        yield folder
    else:
        if shutil.which("adb") is None:
            pytest.skip("adb is not installed")
        with AdbServer(SERIAL, folder) as server:
            monkeypatch.setenv("ANDROID_ADB_SERVER_PORT", str(server.server_address[1]))
            threading.Thread(target=server.serve_forever, daemon=True).start()
            yield folder
            server.shutdown()
    assert what_is_left(folder) == ([], [])


def test_a_phone_times_and_classifies(phone, deployment, pythons):
    options = {"device": f"adb://{SERIAL}", "device_python": pythons[0]}
    comparison = bench([deployment], sequence_length=16, rounds=2, runs=2, **options)
    assert comparison.rows[0].timing.median_ms > 0
    texts = ["a warm and funny film é", "dull"]
    with open_device(f"adb://{SERIAL}", python=pythons[0]) as device:
        device.prepare([deployment], Silent())
        with device.classifier(deployment) as there:
            np.testing.assert_array_equal(there.logits(texts), Classifier(deployment).logits(texts))


def test_a_phone_without_python(phone, deployment, onnxruntime):
    with open_device(f"adb://{SERIAL}", onnxruntime=onnxruntime) as device:
        device.prepare([deployment], Silent())
        with device.classifier(deployment) as there:
            texts = ["a warm and funny film é", "dull"]
            np.testing.assert_array_equal(there.logits(texts), Classifier(deployment).logits(texts))


@pytest.mark.parametrize(
    ("serial", "python", "beginning"),
    [
        ("0123456789", "python3", "cannot reach 0123456789: device '0123456789' not found; see what `adb"),
        (LOCKED, "python3", f"cannot reach {LOCKED}: device unauthorized; see what `adb devices` says"),
        (SERIAL, "/nowhere/python3", f"/nowhere/python3 does not start on {SERIAL} ("),
    ],
)
def test_a_phone_that_is_not_there_or_has_no_python(phone, serial, python, beginning):
    with pytest.raises(KapruneError) as caught, open_device(f"adb://{serial}", python=python):
        pytest.fail("connected")
    assert str(caught.value).startswith(beginning)
    assert "\n" not in str(caught.value)
