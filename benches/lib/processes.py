"""What the benchmarks share: waiting, ports, and what a server's processes have used."""

import os
import pathlib
import socket
import time

TICK = os.sysconf("SC_CLK_TCK")


class Failed(Exception):
    """A message was lost, or a server did not do what it must."""


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_for(what, seconds, check, every=0.02):
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if check():
            return
        time.sleep(every)
    raise Failed(f"{what}: not within {seconds} s")


def listens(port):
    with socket.socket() as s:
        s.settimeout(1)
        return s.connect_ex(("127.0.0.1", port)) == 0


def processes_of(root):
    """The process and its descendants, as pid -> fields of /proc/PID/stat after the name."""
    table = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = pathlib.Path("/proc", entry, "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            table[int(entry)] = stat[stat.rindex(")") + 2 :].split()
    children = {}
    for pid, fields in table.items():
        children.setdefault(int(fields[1]), []).append(pid)
    found, wave = {}, [root]
    while wave:
        pid = wave.pop()
        if pid in table and pid not in found:
            found[pid] = table[pid]
            wave += children.get(pid, [])
    return found


def processor_seconds(roots):
    """Time of the processes and of their ended children, user and system. A child that has ended is counted by the
    parent that waited for it, so nothing counts twice."""
    ticks = 0
    for root in roots:
        for fields in processes_of(root).values():
            ticks += sum(int(fields[i]) for i in (11, 12, 13, 14))
    return ticks / TICK


def proportional_kib(roots):
    """Memory of the processes and their descendants by proportional set size: what several share is divided among
    them. And how many processes there are."""
    total, count = 0, 0
    for root in roots:
        for pid in processes_of(root):
            try:
                lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
            except (FileNotFoundError, ProcessLookupError):
                continue
            total += sum(int(line.split()[1]) for line in lines if line.startswith("Pss:"))
            count += 1
    return total, count
