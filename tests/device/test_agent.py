"""The device's end of a connection, spoken to directly."""

import json
import subprocess
import sys
from pathlib import Path

import psutil

from kaprune_runtime import agent


def test_silence_ends_everything(tmp_path):
    source = Path(agent.__file__).read_text().replace("LONGEST_SILENCE = 60.0", "LONGEST_SILENCE = 3.0")
    assert "= 3.0" in source
    sleep = "import time; print(1, flush=True); time.sleep(99)"
    requests = agent.encode("begin", str(tmp_path), sys.executable), agent.encode("start", "0", "-c", sleep)
    with subprocess.Popen(
        [sys.executable, "-c", source], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as device:
        device.stdin.writelines(requests)
        device.stdin.flush()
        lines = [device.stdout.readline() for _ in range(3)]
        children = psutil.Process(device.pid).children()
        assert lines[0] == agent.GREETING
        assert json.loads(lines[2]) == {"process": 0, "line": "1\n"}
        assert len(children) == 2
        assert device.wait(timeout=60) == 1
    assert psutil.wait_procs(children, timeout=60)[1] == []
    assert [path.name for path in tmp_path.iterdir()] == ["files"]
