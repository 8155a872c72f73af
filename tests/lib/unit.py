#!/usr/bin/env python3
"""Runs a command under the system-call filters of a unit file, as systemd would make them, where no systemd runs:

    unit.py UNIT COMMAND [WORDS...]

`systemd-analyze` says what a set of calls holds, libseccomp makes the filters of it. Of the unit's [Service] it obeys
SystemCallFilter=, RestrictAddressFamilies=, MemoryDenyWriteExecute=, RestrictNamespaces=yes and RestrictSUIDSGID=yes; the caller
has the user and the capabilities. A call outside SystemCallFilter= ends the process, as a unit without SystemCallErrorNumber=
has it; what the others forbid is an error."""

import ctypes
import errno
import functools
import os
import socket
import subprocess
import sys
from pathlib import Path

KILL, ALLOW = 0x80000000, 0x7FFF0000
# How an argument is compared (seccomp.h): the same; some bits of it.
SAME, MASKED = 4, 7
# What systemd lets every service do that has a list (systemd.exec, SystemCallFilter=): a new program, an end, a signal's return.
ALWAYS = {"execve", "exit", "exit_group", "getrlimit", "rt_sigreturn", "sigreturn"}
NAMESPACES = (0x00020000, 0x02000000, 0x04000000, 0x08000000, 0x10000000, 0x20000000, 0x40000000)


def settings(text):
    """The lines of [Service], in their order."""
    section, found = "", []
    for line in text.splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        elif section == "[Service]" and "=" in line and not line.startswith("#"):
            key, value = line.split("=", 1)
            found.append((key.strip(), value.strip()))
    return found


@functools.cache
def calls_of(name):
    """The calls of a set, those of the sets in it included."""
    if not name.startswith("@"):
        return frozenset([name])
    shown = subprocess.run(["systemd-analyze", "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True)
    lines = [line.strip() for line in shown.stdout.splitlines()]
    return frozenset().union(*(calls_of(one) for one in lines if one and not one.startswith("#") and one != name))


def allowed(lines):
    """The calls of the lines together: the first one says whether it is a list of what may be, `~` takes away."""
    may = set(ALWAYS) | calls_of("@default")
    for key, value in lines:
        if key == "SystemCallFilter":
            away, names = value.startswith("~"), value.removeprefix("~").split()
            for name in names:
                may = may - calls_of(name) if away else may | calls_of(name)
    return may | ALWAYS


class Compare(ctypes.Structure):
    _fields_ = [("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64)]


class Filter:
    def __init__(self, otherwise):
        self.library = ctypes.CDLL("libseccomp.so.2", use_errno=True)
        self.library.seccomp_init.restype = ctypes.c_void_p
        self.context = ctypes.c_void_p(self.library.seccomp_init(ctypes.c_uint32(otherwise)))

    def rule(self, action, name, *compared):
        number = self.library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            # One that this machine hasn't got.
            return
        array = (Compare * max(len(compared), 1))(*compared)
        code = self.library.seccomp_rule_add_array(self.context, ctypes.c_uint32(action), number, len(compared), array)
        if code != 0:
            raise OSError(-code, f"a rule for {name}")

    def load(self):
        code = self.library.seccomp_load(self.context)
        if code != 0:
            raise OSError(-code, "loading a filter")


def fails(number):
    return 0x00050000 | number


def confine(lines):
    values = dict(lines)
    second = Filter(ALLOW)
    if "RestrictAddressFamilies" in values:
        families = [int(getattr(socket, name)) for name in values["RestrictAddressFamilies"].split()]
        for other in range(64):
            if other not in families:
                second.rule(fails(errno.EAFNOSUPPORT), "socket", Compare(0, SAME, other, 0))
    if values.get("MemoryDenyWriteExecute") == "yes":
        second.rule(fails(errno.EPERM), "mmap", Compare(2, MASKED, 6, 6))
        for name in ("mprotect", "pkey_mprotect"):
            second.rule(fails(errno.EPERM), name, Compare(2, MASKED, 4, 4))
        second.rule(fails(errno.EPERM), "shmat", Compare(2, MASKED, 0o100000, 0o100000))
    if values.get("RestrictNamespaces") == "yes":
        second.rule(fails(errno.EPERM), "setns")
        second.rule(fails(errno.ENOSYS), "clone3")
        for flag in NAMESPACES:
            second.rule(fails(errno.EPERM), "unshare", Compare(0, MASKED, flag, flag))
            second.rule(fails(errno.EPERM), "clone", Compare(0, MASKED, flag, flag))
    if values.get("RestrictSUIDSGID") == "yes":
        for mode in (0o4000, 0o2000):
            for name, arg in (("chmod", 1), ("fchmod", 1), ("fchmodat", 2), ("mkdir", 1), ("mkdirat", 2)):
                second.rule(fails(errno.EPERM), name, Compare(arg, MASKED, mode, mode))
    second.load()
    first = Filter(KILL)
    for name in allowed(lines):
        first.rule(ALLOW, name)
    first.load()


def main():
    unit, command = Path(sys.argv[1]), sys.argv[2:]
    lines = settings(unit.read_text())
    # No new privileges: without it only root may load a filter.
    ctypes.CDLL(None).prctl(38, 1, 0, 0, 0)
    allowed(lines)
    confine(lines)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
