"""What an idle connection costs: memory of all the server's processes with so many, minus without."""

import json
import subprocess
import time

from processes import Failed, proportional_kib, wait_for
from readers import DOMAIN

USERS = 20
GOAL_KIB = 24
MESSAGES = 100


def name_of(number):
    return f"idle{number}"


def fill(load, servers, access, progress):
    for server in servers:
        for number in range(1, USERS + 1):
            load.run("imap-fill", server, *access, name_of(number), "--messages", str(MESSAGES), "--seed", str(number))
        progress(f"{server.name}: {USERS} accounts filled with {MESSAGES} messages each")


def settled(server):
    """Memory when it changes no more: a server may still tidy up after the last connection."""
    last, count = proportional_kib(server.roots())
    for _ in range(20):
        time.sleep(1)
        now, count = proportional_kib(server.roots())
        if abs(now - last) <= last // 200:
            return now, count
        last = now
    raise Failed(f"{server.name}: its memory doesn't settle")


def measure(load, server, access, who, users, connections, base, progress):
    """A fresh start, and then all of them: whatever logging in leaves behind is counted as theirs."""
    server.stop()
    server.start()
    before, _ = settled(server)
    ready = base / "idle-ready.json"
    ready.unlink(missing_ok=True)
    command = load.command("idle", server, *access, who, "--users", str(users), "--connections", str(connections),
                           "--ready-file", str(ready), "--timeout", "300")
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    try:
        wait_for(f"{server.name}: {connections} idle connections", 600,
                 lambda: holder.poll() is not None or ready.exists(), 0.2)
        if holder.poll() is not None:
            raise Failed(f"{server.name}: {holder.stderr.read().decode()}")
        after, processes = settled(server)
        opened = json.loads(ready.read_text())["seconds"]
        # Ends its input, and with it the holding; each connection must still answer.
        _, said = holder.communicate(timeout=600)
        if holder.returncode != 0:
            raise Failed(f"{server.name}: idle connections died: {said.decode()}")
    finally:
        if holder.poll() is None:
            holder.kill()
            holder.wait()
    row = {"server": server.name, "connections": connections, "before_mib": before / 1024, "after_mib": after / 1024,
           "kib_each": (after - before) / connections, "processes": processes, "opened_in_seconds": opened}
    progress(f"idle: {server.name}: {row['kib_each']:.1f} KiB each, {processes} processes")
    return row


def run(load, servers, access, big, connections, base, progress):
    """Accounts with a small INBOX, and `big`: one account and how many messages it has."""
    rows = []
    for messages, who, users in [(MESSAGES, name_of("%d"), USERS), (big[1], big[0], 1)]:
        for server in servers:
            few = measure(load, server, access, who, users, max(connections // 10, 1), base, progress)
            row = measure(load, server, access, who, users, connections, base, progress)
            # Without what the first ones cost once and for all.
            further = (row["after_mib"] - few["after_mib"]) * 1024 / max(connections - few["connections"], 1)
            rows.append({"inbox": messages, "kib_each_further": further, **row})
    return rows


def show(rows):
    yield "| server | messages in INBOX | idle connections | KiB each | each further | MiB before | MiB with them | processes |"
    yield "|---|---|---|---|---|---|---|---|"
    for r in rows:
        yield (f"| {r['server']} | {r['inbox']} | {r['connections']} | **{r['kib_each']:.1f}** | "
               f"{r['kib_each_further']:.1f} | {r['before_mib']:.1f} | "
               f"{r['after_mib']:.1f} | {r['processes']} |")
    yield ""
    yield f"goal: at most {GOAL_KIB} KiB each; \"each further\" is without what a tenth of the connections cost"
