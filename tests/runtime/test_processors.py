"""No more threads than the system lets run."""

import json
import os
import subprocess
import sys

import pytest

from kaprune_runtime.processors import processors

ALLOWED = len(os.sched_getaffinity(0))
pytestmark = pytest.mark.skipif(ALLOWED < 2, reason="nothing to take away from one processor")


def control_groups(root, own, **files):
    """Write what the system tells of control groups; `own` is /proc/self/cgroup."""
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/cgroup").write_text(own)
    for name, content in files.items():
        path = root / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


QUOTAS = {
    "version 2": ("0::/\n", {"cpu.max": "100000 100000\n"}, 1),
    "version 2, of a group above": (
        "0::/system.slice/job.service\n",
        {"system.slice/job.service/cpu.max": "max 100000\n", "system.slice/cpu.max": "50000 100000\n"},
        1,
    ),
    "version 2, half a processor more": ("0::/\n", {"cpu.max": "150000 100000\n"}, 2),
    "version 2, a tenth of one": ("0::/a\n", {"a/cpu.max": "10000 100000\n"}, 1),
    "version 2, more than there are": ("0::/\n", {"cpu.max": "900000000 100000\n"}, ALLOWED),
    "version 2, without a limit": ("0::/\n", {"cpu.max": "max 100000\n"}, ALLOWED),
    "version 1": (
        "7:cpu,cpuacct:/docker/0123\n0::/\n",
        {"cpu,cpuacct/cpu.cfs_quota_us": "100000\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
        1,
    ),
    "version 1, without a limit": (
        "7:cpu,cpuacct:/\n",
        {"cpu,cpuacct/cpu.cfs_quota_us": "-1\n", "cpu,cpuacct/cpu.cfs_period_us": "100000\n"},
        ALLOWED,
    ),
    "version 1, of another controller": (
        "5:cpuset:/\n",
        {"cpuset/cpu.cfs_quota_us": "100000\n", "cpuset/cpu.cfs_period_us": "100000\n"},
        ALLOWED,
    ),
    "unreadable numbers": ("0::/\n", {"cpu.max": "some\n"}, ALLOWED),
    "no files": ("0::/gone/../away\n", {}, ALLOWED),
}


@pytest.mark.parametrize("kind", QUOTAS)
def test_a_quota_counts(tmp_path, kind):
    own, files, usable = QUOTAS[kind]
    found = processors(control_groups(tmp_path, own, **files))
    assert found.usable == usable
    assert found.present == os.cpu_count()
    assert ("a control group's quota" in found.limits) == (usable < ALLOWED)


def test_a_system_without_control_groups(tmp_path):
    assert processors(tmp_path).usable == ALLOWED


def on_one_processor(*arguments):
    program = (
        "import os, runpy, sys\n"
        "os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])\n"
        "sys.argv = ['kaprune_runtime', *sys.argv[1:]]\n"
        "runpy.run_module('kaprune_runtime', run_name='__main__')\n"
    )
    return subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)


@pytest.mark.parametrize("command", ["latency", "predict", "worker", "classifier"])
def test_two_threads_on_one_processor_are_refused(tiny, command):
    text = ["a film"] if command == "predict" else []
    length = ["--sequence-length", "5"] if command in ("latency", "worker") else []
    done = on_one_processor(command, str(tiny().folder), *text, *length, "--threads", "2")
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == (
        f"error: this process may use 1 of the machine's {os.cpu_count()} cores, by its affinity; "
        "give 1 thread\n"
    )


def test_what_may_be_used_is_told(tiny):
    done = on_one_processor("worker", str(tiny().folder), "--sequence-length", "5")
    machine = json.loads(done.stdout)["machine"]
    assert (machine["cores"], machine["cores_present"]) == (1, os.cpu_count())
