"""What things cost as a mailbox grows, as multiples of what they cost in the smallest."""

import statistics

import plot
from processes import Failed
from readers import DOMAIN, Mailward

SIZES = [1_000, 10_000, 100_000]
FULL = 1_000_000
# Bytes of a message; what is measured reads no bodies.
SIZE = 1_100
GOAL = 2
CASES = [
    ("SELECT", "select", ["--case", "select", "--seconds", "0.4"]),
    ("FETCH of the last 50", "last50", ["--case", "last50", "--seconds", "0.4"]),
    ("STORE of one flag", "flag-one", ["--case", "flag-one", "--seconds", "0.4"]),
    ("news of a flag in IDLE", "idle-flags", ["--case", "idle-news", "--seconds", "0.4"]),
    ("news of a message in IDLE", "idle-arrival", None),
]


def run(load, base, binary, sizes, rounds, progress):
    """One server, one account a size; the sizes in turn in each round, so that what drifts drifts for all."""
    users = {size: f"with{size}" for size in sizes}
    server = Mailward(base, binary, users.values(), name="growth")
    server.make()
    for size, user in users.items():
        told = server.run("bench", "store-fill", "--user", f"{user}@{DOMAIN}", "--messages", str(size), "--size",
                          str(SIZE))
        progress(f"growth: {told.stdout.decode().splitlines()[0]}")
    server.start()
    results = {name: {size: [] for size in sizes} for name, _, _ in CASES}
    try:
        for number in range(rounds):
            for _name, what, arguments in CASES:
                if arguments is None:
                    continue
                for size in sizes if number % 2 == 0 else sizes[::-1]:
                    told = load.run("imap", server, server.ca, server.tls_name, users[size], *arguments)
                    if told["messages"] != size:
                        raise Failed(f"{told['messages']} messages where {size} must be")
                    for measured in told["measured"]:
                        name = next(c[0] for c in CASES if c[1] == measured["what"])
                        results[name][size].append(measured["ms"])
            progress(f"growth: round {number + 1} of {rounds}")
    finally:
        server.stop()
    return summary(results)


def summary(results):
    rows = []
    for name, sizes in results.items():
        smallest = min(sizes)
        row = {"case": name, "ms": {}, "ratio": {}}
        for size, rounds in sizes.items():
            row["ms"][size] = statistics.median(rounds)
            row["ratio"][size] = statistics.median(a / b for a, b in zip(rounds, sizes[smallest]))
        row["met"] = max(row["ratio"].values()) <= GOAL
        rows.append(row)
    return rows


def show(rows):
    sizes = list(rows[0]["ms"])
    yield "| work | " + " | ".join(f"{s:,} messages, ms" for s in sizes) + " | " \
        + " | ".join(f"× at {s:,}" for s in sizes[1:]) + " | within 2 |"
    yield "|---" * (2 * len(sizes) + 1) + "|"
    for row in rows:
        yield f"| {row['case']} | " + " | ".join(f"{row['ms'][s]:.3f}" for s in sizes) + " | " \
            + " | ".join(f"**{row['ratio'][s]:.2f}**" for s in sizes[1:]) \
            + f" | {'met' if row['met'] else '**missed**'} |"


def picture(rows):
    lines = [(row["case"], [(size, ratio) for size, ratio in row["ratio"].items()]) for row in rows]
    return plot.growth("Cost as a mailbox grows, as a multiple of the smallest", lines, GOAL)
