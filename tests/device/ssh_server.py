"""A real OpenSSH server on a port of loopback, with a client that knows it."""

import os
import shutil
import socket
import subprocess
import time
from contextlib import contextmanager
from pathlib import Path

SSHD = shutil.which("sshd", path=os.defpath + ":/usr/sbin:/usr/local/sbin")

_SERVER = """
Port {port}
ListenAddress 127.0.0.1
HostKey {folder}/host_key
AuthorizedKeysFile {folder}/authorized_keys
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
PrintMotd no
SetEnv TMPDIR={folder}/device
"""
_CLIENT = """
Host device
HostName 127.0.0.1
Port {port}
IdentityFile {folder}/{key}
IdentitiesOnly yes
UserKnownHostsFile {folder}/known_hosts
GlobalKnownHostsFile none
"""


class SshServer:
    """Keys and settings live in a folder; `ssh` on the search path reads its own configuration from there."""

    def __init__(self, folder):
        self.folder = folder
        self.device = folder / "device"
        self.device.mkdir()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        for name in ("host_key", "user_key", "stranger_key"):
            subprocess.run(
                ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", folder / name], check=True, timeout=60
            )
        shutil.copy(folder / "user_key.pub", folder / "authorized_keys")
        key = (folder / "host_key.pub").read_text()
        (folder / "known_hosts").write_text(f"[127.0.0.1]:{self.port} {key}")
        (folder / "sshd_config").write_text(_SERVER.format(port=self.port, folder=folder))
        self.use_key("user_key")
        client = folder / "bin" / "ssh"
        client.parent.mkdir()
        client.write_text(f'#!/bin/sh\nexec {shutil.which("ssh")} -F "{folder}/ssh_config" "$@"\n')
        client.chmod(0o755)

    def use_key(self, name):
        """Have the client offer one of the keys."""
        config = _CLIENT.format(port=self.port, folder=self.folder, key=name)
        (self.folder / "ssh_config").write_text(config)

    @contextmanager
    def running(self):
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        command = [SSHD, "-D", "-e", "-f", self.folder / "sshd_config"]
        with (self.folder / "log").open("w") as log:
            self.process = subprocess.Popen(command, stderr=log, start_new_session=True)
        try:
            self._wait()
            yield self
        finally:
            self.process.kill()
            self.process.wait()

    def _wait(self):
        for _ in range(200):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise TimeoutError((self.folder / "log").read_text())
