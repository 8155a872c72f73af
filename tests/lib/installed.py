"""Hosts with Debian's packages as they are once installed: by dpkg and the packages' own scripts, with their own defaults, in a
view of the file system of each host's own, above this host's, which keeps what it has. Wants root and Debian.
"""

import os
import shutil
import signal
import subprocess

import peers
from house import PATIENCE, Failed, Process, until
from namespaces import Network, ip, run

# What packages and servers write to. What they change is kept in the story's directory.
LAYERS = ("etc", "usr", "var", "root", "home")
PATH = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}


def packages(*names):
    """The files to install these from, and all that they need and this host lacks. Wants the network, once."""

    def make(place):
        fetched = place.with_suffix(".new")
        shutil.rmtree(fetched, ignore_errors=True)
        peers.download(names, fetched)
        fetched.rename(place)

    return sorted(peers.kept("installed-" + "-".join(names), make).glob("*.deb"))


class Host:
    """A host at the other end of a cable: its name, its addresses `four` and `six`, its own files, and processes that end with
    it. We are at `gate`; its resolver is there, too. It begins with the files of the host `like`, if there is one."""

    def __init__(self, name, number, directory, like=None):
        self.name = f"mx.{name}.test"
        self.gate, self.four, self.six = f"10.66.{number}.1", f"10.66.{number}.2", f"fd66:{number}::2"
        self.network = Network()
        ip("link", "add", name, "type", "veth", "peer", "name", "eth0", "netns", self.network.path)
        for side, link, end in ((ip, name, 1), (self.network.ip, "eth0", 2)):
            side("link", "set", link, "up")
            side("addr", "add", f"10.66.{number}.{end}/24", "dev", link)
            side("addr", "add", f"fd66:{number}::{end}/64", "dev", link, "nodad")
        self.network.ip("route", "add", "default", "via", self.gate)
        self.home = directory / name
        if like:
            self.home.mkdir()
            run("cp", "-a", like.home / "upper", self.home)
        view = []
        for part in LAYERS:
            for kind in ("upper", "work"):
                (self.home / kind / part).mkdir(parents=True, exist_ok=True)
            layers = f"lowerdir=/{part},upperdir={self.home}/upper/{part},workdir={self.home}/work/{part}"
            view.append(f"mount -t overlay overlay -o {layers} /{part}")
        view += [
            "mount -t tmpfs -o mode=755 tmpfs /run", "mkdir -p /run/lock", "hostname mx",
            "rm -rf /var/mail/* /etc/mailname",
            f"printf 'nameserver {self.gate}\\n' >/etc/resolv.conf",
            f"printf '127.0.0.1 localhost\\n{self.four} {self.name} mx\\n' >/etc/hosts",
            # What is installed begins when the story says so.
            "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d", "chmod 755 /usr/sbin/policy-rc.d",
            # The first process of all gets the orphans, and waits for none.
            "trap '' CHLD", "echo ready", "exec sleep infinity",
        ]  # fmt: skip
        self.log, self.begun = self.home / "output", []
        with open(self.log, "wb") as output:
            self.holder = subprocess.Popen(
                ["nsenter", f"--net={self.network.path}", "unshare", "--mount", "--uts", "--ipc", "--pid", "--fork", "--kill-child",
                 "--mount-proc", "--propagation", "private", "sh", "-e", "-c", "\n".join(view)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=PATH,
            )  # fmt: skip
        Process.running.append(self)
        until(lambda: b"ready\n" in self.log.read_bytes() or self.holder.poll() is not None, f"{name} is there")
        if self.holder.poll() is not None:
            raise Failed(f"a view of the file system can't be made:\n{self.log_text()}")
        pid = self.holder.pid
        with open(f"/proc/{pid}/task/{pid}/children") as children:
            self.first = int(children.read())

    # ---- in it ---------------------------------------------------------------------------------------------

    def words(self, *words):
        return ["nsenter", "--target", str(self.first), *"--mount --uts --ipc --net --pid --root --wd".split(), *map(str, words)]

    def do(self, *words, stdin="", ok=(0,)):
        """Runs a program of it to its end; gives what it wrote."""
        done = subprocess.run(
            self.words(*words), input=stdin.encode(), stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=PATH, timeout=PATIENCE * 3
        )
        text = done.stdout.decode("utf-8", "replace")
        if ok is not None and done.returncode not in ok:
            raise Failed(f"{self.name}: {' '.join(map(str, words))}\n    exit {done.returncode}\n{text[-3000:]}")
        return text

    def begin(self, *words):
        """Begins a program of it that stays in front; what it writes is in the log."""
        with open(self.log, "ab") as output:
            process = subprocess.Popen(self.words(*words), stdin=subprocess.DEVNULL, stdout=output, stderr=output, env=PATH)
        self.begun.append(process)

    def install(self, files, answers=""):
        """Installs packages; `answers` are for their questions, as debconf-set-selections takes them."""
        if answers:
            self.do("debconf-set-selections", stdin=answers)
        self.do("dpkg", "--force-unsafe-io", "--install", *files)

    def read(self, path):
        """A file of it; empty if there is none."""
        return self.do("sh", "-c", 'test ! -e "$1" || cat "$1"', "read", path)

    def write(self, path, text):
        self.do("sh", "-c", 'mkdir -p "$(dirname "$1")" && cat >"$1"', "write", path, stdin=text)

    def listens(self, port):
        """Whether somebody listens at a port of its address."""
        return f":{port:04X} 00000000:0000 0A" in self.do("cat", "/proc/net/tcp")

    # ---- as the story's other processes --------------------------------------------------------------------

    def log_text(self):
        return self.log.read_text("utf-8", "replace")

    def signal(self, number):
        """Whatever the signal: its end. All that runs in it ends with its first process."""
        if self.holder.poll() is None:
            os.kill(self.first, signal.SIGKILL)

    def ended(self):
        for process in (self.holder, *self.begun):
            process.wait(PATIENCE)
        if self in Process.running:
            Process.running.remove(self)

    def stop(self):
        self.signal(signal.SIGTERM)
        self.ended()
