"""The part of an adb server, and of the one device behind it, that `adb -s SERIAL shell -T` speaks with.

As documented in the Android source: packages/modules/adb, OVERVIEW.TXT, SERVICES.TXT and shell_protocol.h.
"""

import os
import socket
import socketserver
import struct
import subprocess
import threading
from contextlib import suppress

VERSION = 41
LOCKED = "0A1B2C3D"
"""Serial number of a device that has not been told to trust this machine."""
UNAUTHORIZED = """device unauthorized.
This adb server's $ADB_VENDOR_KEYS is not set
Try 'adb kill-server' if that seems wrong.
Otherwise check for a confirmation dialog on your device."""
STDIN, STDOUT, STDERR, EXIT, CLOSE_STDIN = range(5)
PACKET = struct.Struct("<BI")


class AdbServer(socketserver.ThreadingTCPServer):
    daemon_threads = True

    def __init__(self, serial, folder):
        super().__init__(("127.0.0.1", 0), _Connection)
        self.serial, self.folder = serial, folder


class _Connection(socketserver.StreamRequestHandler):
    def handle(self):
        while length := self.rfile.read(4):
            service = self.rfile.read(int(length, 16)).decode()
            serial = self.server.serial
            if service == "host:version":
                return self._reply(f"{VERSION:04x}")
            if service in (f"host-serial:{serial}:features", "host:features"):
                return self._reply("shell_v2,cmd")
            if service == f"host:tport:serial:{serial}":
                self.wfile.write(b"OKAY" + bytes(8))
            elif service == f"host:transport:{serial}":
                self.wfile.write(b"OKAY")
            elif service.startswith("shell,v2") and "raw:" in service:
                self.wfile.write(b"OKAY")
                return self._shell(service.partition("raw:")[2])
            else:
                asked = service.removesuffix(":features").rpartition(":")[2]
                return self._fail(UNAUTHORIZED if asked == LOCKED else f"device '{asked}' not found")
        return None

    def _reply(self, text):
        self.wfile.write(b"OKAY" + b"%04x" % len(text) + text.encode())

    def _fail(self, text):
        self.wfile.write(b"FAIL" + b"%04x" % len(text) + text.encode())

    def _shell(self, command):
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        environment = {**os.environ, "TMPDIR": str(self.server.folder)}
        with subprocess.Popen(["sh", "-c", command], env=environment, bufsize=0, **pipes) as process:
            self.sending = threading.Lock()
            outputs = [
                threading.Thread(target=self._forward, args=(STDOUT, process.stdout)),
                threading.Thread(target=self._forward, args=(STDERR, process.stderr)),
            ]
            for thread in outputs:
                thread.start()
            threading.Thread(target=self._take_input, args=(process,), daemon=True).start()
            for thread in outputs:
                thread.join()
            self._send(EXIT, bytes([process.wait() & 0xFF]))
        with suppress(OSError):  # Or closing would wait for the thread that reads.
            self.connection.shutdown(socket.SHUT_RDWR)

    def _forward(self, kind, pipe):
        while piece := pipe.read(1 << 16):
            self._send(kind, piece)

    def _send(self, kind, content):
        with self.sending, suppress(OSError):  # The client may have gone.
            self.connection.sendall(PACKET.pack(kind, len(content)) + content)

    def _take_input(self, process):
        with suppress(BrokenPipeError), process.stdin:  # The process may have ended.
            while len(head := self.rfile.read(PACKET.size)) == PACKET.size:
                kind, length = PACKET.unpack(head)
                piece = memoryview(self.rfile.read(length))
                if kind == CLOSE_STDIN:
                    break
                while kind == STDIN and piece:
                    piece = piece[process.stdin.write(piece) :]
