"""Networks of a story's own: the story lives in a network namespace where nobody else is, beside others that it makes,
joined by cables. Wants root, or a kernel that lets everybody make user namespaces.
"""

import ctypes
import ipaddress
import os
import socket
import subprocess
import sys
import threading

from house import PATIENCE, Failed, Raw

NEW_NETWORK = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)


def enter():
    """Begins the story anew, in a network namespace of its own."""
    if os.environ.get("IN_NAMESPACE") == "1":
        ip("link", "set", "lo", "up")
        return
    words = ["unshare", "--net"] + ([] if os.geteuid() == 0 else ["--map-root-user"])
    tried = subprocess.run([*words, "true"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if tried.returncode != 0:
        print(f"FAILED: network namespaces can't be made here ({tried.stdout.decode().strip()}): run this as root, or allow user namespaces")
        sys.exit(1)
    os.execvpe("unshare", [*words, sys.executable, *sys.argv], {**os.environ, "IN_NAMESPACE": "1"})


def run(*words):
    done = subprocess.run(list(map(str, words)), stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    if done.returncode != 0:
        raise Failed(f"{' '.join(map(str, words))}\n    exit {done.returncode}\n{done.stdout.decode('utf-8', 'replace')}")


def ip(*words):
    run("ip", *words)


class Network:
    """A network namespace, as long as the story lives."""

    def __init__(self):
        self.handle = None

        def make():
            if LIBC.unshare(NEW_NETWORK) == 0:
                self.handle = os.open("/proc/thread-self/ns/net", os.O_RDONLY)

        thread = threading.Thread(target=make)
        thread.start()
        thread.join()
        if self.handle is None:
            raise Failed("a network namespace can't be made")
        self.path = f"/proc/{os.getpid()}/fd/{self.handle}"
        self.ip("link", "set", "lo", "up")

    def run(self, *words):
        run("nsenter", f"--net={self.path}", *words)

    def ip(self, *words):
        self.run("ip", *words)

    def forwards(self):
        """Is a router."""
        self.run("sh", "-c", "echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding")

    def do(self, action):
        """Does something in it; sockets that are made by it stay in it."""
        results = []

        def inside():
            try:
                if LIBC.setns(self.handle, NEW_NETWORK) != 0:
                    raise Failed(f"no way into a network namespace: {os.strerror(ctypes.get_errno())}")
                results.append(action())
            except BaseException as error:  # It is the caller's.
                results.append(error)

        thread = threading.Thread(target=inside)
        thread.start()
        thread.join()
        if isinstance(results[0], BaseException):
            raise results[0]
        return results[0]


def wired(ours, theirs):
    """A network at the other end of a cable, and default routes both ways. Addresses are "10.0.0.1/24"; ours are on "us", theirs on "them"."""
    there = Network()
    ip("link", "add", "us", "type", "veth", "peer", "name", "them", "netns", there.path)
    for side, link, addresses in ((ip, "us", ours), (there.ip, "them", theirs)):
        side("link", "set", link, "up")
        for address in addresses:
            side("addr", "add", address, "dev", link, *(["nodad"] if ":" in address else []))
        side("route", "add", "default", "dev", link)
        side("-6", "route", "add", "default", "dev", link)
    return there


def connect(there, source, target, port):
    """A socket from an address of a network."""
    return there.do(lambda: socket.create_connection((target, port), PATIENCE, source_address=(source, 0)))


class Guest(Raw):
    """A wire from an address of a network; nothing of it is read yet."""

    def __init__(self, there, source, target, port):
        self.socket = connect(there, source, target, port)
        self.buffer = b""


def reverse(address):
    """Where the DNS has the name of an address."""
    return ipaddress.ip_address(address).reverse_pointer
