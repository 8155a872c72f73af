"""ClamAV's daemon for real, from Debian's package, with signatures made here. The test file that virus scanners know is put
together when it is needed: it stands nowhere in the tree, so that no scanner finds it there."""

import hashlib
import os
import socket
import subprocess
from pathlib import Path

import peers
from house import PATIENCE, Failed, until

# By its two halves.
EICAR = (r"X5O!P%@AP[4\PZX54(P^)7CC)7}$EICAR-STANDARD-" + "ANTIVIRUS-TEST-FILE!$H+H*").encode()
# What a signature by content looks for.
MARKER = b"a marker that only this test has"


class Clamd:
    """A daemon with its socket at `self.socket`; `more` are lines of its configuration."""

    def __init__(self, directory, stream_max="8M", digests=(), patterns=(), more="", knows_eicar=True):
        """`digests` are files that are found as they are, `patterns` bytes that are found anywhere; each with its name. One that doesn't
        know EICAR has the other signatures alone, until `learns`."""
        self.root = peers.fetch("clamav-daemon")
        self.home = Path(directory)
        self.home.mkdir(parents=True)
        self.home.chmod(0o755)
        self.socket = self.home / "clamd.ctl"
        self.database = database = self.home / "database"
        database.mkdir()
        if knows_eicar:
            digests = [("Test.Eicar", EICAR), *digests]
        self.learns(digests, [("Test.Marker", MARKER), *patterns])
        self.settings = self.home / "clamd.conf"
        self.settings.write_text(
            f"LocalSocket {self.socket}\nLocalSocketMode 666\nDatabaseDirectory {database}\nForeground yes\n"
            f"LogFile {self.home}/clamd.log\nStreamMaxLength {stream_max}\nTemporaryDirectory {self.home}\n"
            f"MaxThreads 4\nAlertEncryptedArchive yes\nUser root\n{more}"
        )
        self.process = None
        self.start()

    def learns(self, digests, patterns):
        """Has these signatures, from its next start on."""
        lines = [f"{hashlib.md5(data).hexdigest()}:{len(data)}:{name}\n" for name, data in digests]
        # An empty file is one that it doesn't take.
        if lines:
            (self.database / "test.hdb").write_text("".join(lines))
        (self.database / "test.ndb").write_text("".join(f"{name}:0:*:{data.hex()}\n" for name, data in patterns))

    def libraries(self):
        return ":".join(map(str, self.root.glob("usr/lib/*-linux-gnu")))

    def start(self):
        """Starts it, and waits until it answers."""
        self.socket.unlink(missing_ok=True)
        with open(self.home / "output", "ab") as output:
            self.process = subprocess.Popen(
                [self.root / "usr/sbin/clamd", "--config-file", self.settings],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/",
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8", "LD_LIBRARY_PATH": self.libraries()},
            )  # fmt: skip
        until(self.answers, "an answer of clamd")

    def answers(self):
        if self.process.poll() is not None:
            raise Failed(f"clamd ended with {self.process.returncode}:\n{(self.home / 'output').read_text()[-4000:]}")
        try:
            with socket.socket(socket.AF_UNIX) as wire:
                wire.settimeout(PATIENCE)
                wire.connect(str(self.socket))
                wire.sendall(b"zPING\0")
                return wire.recv(64) == b"PONG\0"
        except OSError:
            return False

    def stop(self):
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def program(self):
        """ClamAV's scanner without a daemon, as a script with a path of its own: its libraries aren't the host's."""
        scan = self.home / "scan"
        known = peers.fetch("clamav")
        libraries = ":".join(map(str, known.glob("usr/lib/*-linux-gnu")))
        scan.write_text(
            f"#!/bin/sh\nLD_LIBRARY_PATH={libraries}:{self.libraries()} exec {known}/usr/bin/clamscan"
            f" --no-summary --tempdir={self.home}/tmp --database={self.home}/database -\n"
        )
        scan.chmod(0o755)
        (self.home / "tmp").mkdir(exist_ok=True)
        os.chmod(self.home / "tmp", 0o1777)
        return scan
