#!/usr/bin/env python3
"""Runs a command where nothing may be executed but what a unit file names, as systemd would have it, where no systemd runs:

    paths.py UNIT USER COMMAND [WORDS...]

Of the unit's [Service] it obeys NoExecPaths=/ and ExecPaths=: in a mount namespace of its own everything is remounted noexec, and what is
named is bound over itself before. It takes root; then it becomes USER, and the command is run."""

import ctypes
import os
import pwd
import sys
from pathlib import Path

from unit import settings

NAMESPACE = 0x00020000
BIND, RECURSIVE, PRIVATE, REMOUNT, NOEXEC = 4096, 16384, 1 << 18, 32, 8
# What a remount has to keep, by the words of mountinfo.
KEPT = {"ro": 1, "nosuid": 2, "nodev": 4, "noatime": 1024, "nodiratime": 2048, "relatime": 1 << 21}


def mount(library, source, target, flags):
    if library.mount(source and os.fsencode(source), os.fsencode(target), None, flags, None) != 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), str(target))


def shut(lines):
    nowhere = [word for key, value in lines if key == "NoExecPaths" for word in value.split()]
    assert nowhere == ["/"], nowhere
    named = [word for key, value in lines if key == "ExecPaths" for word in value.split()]
    library = ctypes.CDLL(None, use_errno=True)
    if library.unshare(NAMESPACE) != 0:
        raise OSError(ctypes.get_errno(), "a mount namespace")
    mount(library, None, "/", RECURSIVE | PRIVATE)
    open_ = set()
    for word in named:
        path = os.path.realpath(word.removeprefix("-"))
        # `-`: that it isn't there is no fault.
        if os.path.exists(path) or not word.startswith("-"):
            mount(library, path, path, BIND)
            open_.add(path)
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields = line.split()
        place, flags = fields[4].encode().decode("unicode_escape"), sum(KEPT.get(word, 0) for word in fields[5].split(","))
        if place not in open_:
            try:
                mount(library, None, place, REMOUNT | BIND | NOEXEC | flags)
            except OSError:
                # One that another is mounted over: nobody sees it.
                pass


def main():
    unit, user, command = Path(sys.argv[1]), pwd.getpwnam(sys.argv[2]), sys.argv[3:]
    shut(settings(unit.read_text()))
    os.setgroups([])
    os.setresgid(user.pw_gid, user.pw_gid, user.pw_gid)
    os.setresuid(user.pw_uid, user.pw_uid, user.pw_uid)
    os.execv(command[0], command)


if __name__ == "__main__":
    main()
