"""A tiny hub on this machine: it speaks as much of the hub's protocol as `datasets` uses to fetch data."""

import io
import json
import threading
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

REVISION = "0123456789" * 4


def _parquet(columns):
    buffer = io.BytesIO()
    pq.write_table(pa.table(columns), buffer)
    return buffer.getvalue()


def _repository(configs):
    """Lay out {config: {split: columns}} as the GLUE repository does, its card naming the files."""
    card = ["---", "configs:"]
    files = {}
    for config, splits in configs.items():
        card += [f"- config_name: {config}", "  data_files:"]
        for split, columns in splits.items():
            card += [f"  - split: {split}", f"    path: {config}/{split}-*"]
            files[f"{config}/{split}-00000-of-00001.parquet"] = _parquet(columns)
    return {"README.md": "\n".join([*card, "---", ""]).encode(), **files}


class _Hub(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    repository: str
    files: dict[str, bytes]

    def do_GET(self):
        path = urlsplit(self.path).path
        api, files = f"/api/datasets/{self.repository}", f"/datasets/{self.repository}/resolve/"
        if path in (api, f"{api}/revision/main", f"{api}/revision/{REVISION}"):
            siblings = [{"rfilename": name} for name in self.files]
            self.answer(json.dumps({"id": self.repository, "sha": REVISION, "siblings": siblings}).encode())
        elif path.startswith(f"{api}/tree/{REVISION}"):
            self.answer(
                json.dumps(self.tree(path.removeprefix(f"{api}/tree/{REVISION}").strip("/"))).encode()
            )
        elif path.startswith(files):
            self.answer(self.files.get(path.removeprefix(files).partition("/")[2]))
        else:
            self.answer(None)

    do_HEAD = do_GET  # noqa: N815

    def tree(self, folder):
        folders = {name.partition("/")[0] for name in self.files if "/" in name} if not folder else ()
        return [
            *({"type": "directory", "path": name, "oid": "0" * 40} for name in folders),
            *(
                {"type": "file", "path": name, "size": len(content), "oid": "0" * 40}
                for name, content in self.files.items()
                if name.rpartition("/")[0] == folder
            ),
        ]

    def answer(self, body):
        self.send_response(404 if body is None else 200)
        if body is None:
            self.send_header("X-Error-Code", "EntryNotFound")
        self.send_header("X-Repo-Commit", REVISION)
        self.send_header("ETag", f'"{sha256(body or b"").hexdigest()}"')
        self.send_header("Content-Length", str(len(body or b"")))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body or b"")

    def log_message(self, *_):
        pass


@pytest.fixture
def serve_hub():
    """Return a function that starts a hub of {config: {split: columns}} and returns its address."""
    servers = []

    def serve(configs, repository="nyu-mll/glue"):
        handler = type("Hub", (_Hub,), {"repository": repository, "files": _repository(configs)})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        servers.append(server)
        return f"http://127.0.0.1:{server.server_port}"

    yield serve
    for server in servers:
        server.shutdown()
        server.server_close()
