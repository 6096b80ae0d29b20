"""A run that is killed anywhere resumes to the bits of one that was not."""

import os
import subprocess
import sys

import kill_everywhere
import pytest


@pytest.mark.parametrize("kind", ["pruning", "distilling"])
def test_a_kill_before_any_change_of_files_loses_nothing(kind, checkpoint, task_spec, tmp_path):
    program = [sys.executable, kill_everywhere.__file__, kind, checkpoint(), task_spec, tmp_path, "3"]
    environment = {**os.environ, "TOKENIZERS_PARALLELISM": "false", "OMP_NUM_THREADS": "1"}
    done = subprocess.run(program, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    assert "changes" in done.stdout
    assert "wrong" not in done.stdout, done.stdout + done.stderr
