import json

import onnxruntime
import torch

from kaprune_edge.doctor import diagnose
from kaprune_runtime import instruction_set


def test_a_sound_installation_has_no_problems(tmp_path, monkeypatch):
    monkeypatch.setenv("KAPRUNE_CACHE", str(tmp_path / "cache"))
    diagnosis = diagnose()
    assert [problem for problem in diagnosis.problems if "AVX2" not in problem.finding] == []
    assert diagnosis.versions["torch"] == torch.__version__
    assert diagnosis.providers == tuple(onnxruntime.get_available_providers())
    assert diagnosis.cached == {}
    assert not (tmp_path / "cache").exists()
    assert json.loads(json.dumps(diagnosis.to_dict()))["machine"]["cores"] == diagnosis.machine.cores


def test_what_the_cache_holds_is_listed(tmp_path, monkeypatch):
    monkeypatch.setenv("KAPRUNE_CACHE", str(tmp_path))
    (tmp_path / "movie-reviews").mkdir()
    (tmp_path / "movie-reviews" / "text.txt").write_bytes(b"x" * 1234)
    (tmp_path / ".movie-reviews.lock").touch()
    assert diagnose().cached == {"movie-reviews": 1234}


def test_a_useless_cache_folder_is_a_problem(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("KAPRUNE_CACHE", str(tmp_path / "file" / "cache"))
    (problem,) = (problem for problem in diagnose().problems if "written" in problem.finding)
    assert str(tmp_path / "file") in problem.finding
    assert "KAPRUNE_CACHE" in problem.remedy


def test_kernels_are_named_and_a_missing_library_is_a_problem(monkeypatch, tmp_path):
    assert diagnose().kernels == instruction_set()
    monkeypatch.setenv("KAPRUNE_LIBRARY", str(tmp_path / "gone.so"))
    diagnosis = diagnose()
    assert diagnosis.kernels is None
    (problem,) = (problem for problem in diagnosis.problems if "gone.so" in problem.finding)
    assert "KAPRUNE_LIBRARY" in problem.remedy


def test_unfit_packages_are_problems(tmp_path, monkeypatch):
    def install(name, version):
        folder = tmp_path / f"{name}-{version}.dist-info"
        folder.mkdir()
        (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")

    install("transformers", "4.40.0")
    install("onnxruntime_gpu", "1.31.0")
    monkeypatch.syspath_prepend(tmp_path)
    problems = {problem.finding: problem.remedy for problem in diagnose().problems}
    assert problems["kaprune-edge needs transformers<6,>=5.23, found 4.40.0"].startswith(
        "pip install 'transformers"
    )
    assert "onnxruntime and onnxruntime_gpu are installed over each other" in problems
