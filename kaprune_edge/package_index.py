"""Download a file of a release from the Python package index, as the user's pip is configured to reach it.

Nothing is installed or built: pip itself would run a source archive's setup.py to "download" it.
"""

import ast
import logging
import ssl
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
from rich.console import Console
from rich.progress import DownloadColumn, Progress, TimeRemainingColumn
from unearth import Link, PackageFinder
from unearth.auth import MultiDomainBasicAuth
from unearth.fetchers import PyPIClient

from kaprune_runtime.errors import KapruneError


def download(project: str, filename: str, target: Path) -> None:
    """Write a release file of a project to `target`, with a progress bar on a terminal.

    Args:
        project: The project's name on the index.
        filename: The wheel's or source archive's own file name.
        target: Where to write; its folder exists.

    Raises:
        KapruneError: No configured index or folder could deliver the file.
        OSError: `target` cannot be written.
    """
    logging.getLogger("unearth").addHandler(logging.NullHandler())
    options = _pip_options()
    problem = "not there"
    with _client(options) as client:
        for finder in _finders(options, client):
            try:
                for package in finder.find_all_packages(project, allow_yanked=True):
                    if package.link.filename == filename:
                        return _stream(client, package.link, target, f"Fetching {project}")
            except (httpx2.HTTPError, httpx2.InvalidURL, ValueError) as error:
                problem = str(error) or type(error).__name__
    raise KapruneError(
        f"cannot fetch {filename} from the package index ({problem}); "
        "check the network and pip's index settings (pip config list), then try again"
    )


def _pip_options() -> dict[str, str]:
    """Read what configuration files and environment variables tell `pip download`; without pip, nothing."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listing = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    sections: dict[str, dict[str, str]] = {"global": {}, "download": {}, ":env:": {}}
    for line in listing.splitlines():
        key, _, value = line.partition("=")
        section, _, option = key.partition(".")
        if section in sections:
            sections[section][option.removeprefix("default-")] = str(ast.literal_eval(value))
    return sections["global"] | sections["download"] | sections[":env:"]


def _client(options: dict[str, str]) -> PyPIClient:
    try:
        tls = ssl.create_default_context(cafile=options["cert"]) if "cert" in options else True
    except OSError as error:
        raise KapruneError(
            f"cannot read pip's certificates {options['cert']}; mend pip's cert option"
        ) from error
    return PyPIClient(
        trusted_hosts=options.get("trusted-host", "").split(),
        verify=tls,
        cert=options.get("client-cert"),
        proxy=options.get("proxy"),
        timeout=float(options.get("timeout", 15)),
        follow_redirects=True,
    )


def _finders(options: dict[str, str], client: Any) -> Iterator[PackageFinder]:
    """Yield a finder per source, so that a dead source does not hide the next one."""
    folders = options.get("find-links", "").split()
    indexes = [*options.get("index-url", "").split()[:1], *options.get("extra-index-url", "").split()]
    client.auth = MultiDomainBasicAuth(prompting=False, index_urls=indexes)
    for folder in folders:
        yield PackageFinder(client, find_links=[folder], ignore_compatibility=True)
    if options.get("no-index", "").lower() in {"1", "true", "yes", "on"}:
        return
    if "index-url" not in options:
        yield PackageFinder(client, ignore_compatibility=True)
    for index in indexes:
        yield PackageFinder(client, index_urls=[index], ignore_compatibility=True)


def _stream(client: PyPIClient, link: Link, target: Path, description: str) -> None:
    console = Console(stderr=True)
    progress = Progress(
        *Progress.get_default_columns()[:2],
        DownloadColumn(),
        TimeRemainingColumn(),
        console=console,
        transient=True,
        disable=not console.is_terminal,
    )
    with progress, client.get_stream(link.url_without_fragment) as response, target.open("wb") as file:
        if not response.is_success:
            raise httpx2.HTTPError(f"{response.status_code} {response.reason_phrase}")
        size = int(response.headers.get("Content-Length", 0)) or None
        bar = progress.add_task(description, total=size)
        for chunk in response.iter_bytes():
            file.write(chunk)
            progress.advance(bar, len(chunk))
