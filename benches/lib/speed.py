"""Speed against Dovecot: the same work on the same mail, in turn."""

import statistics

from processes import Failed, processor_seconds

READER = "reader"

# name, load program, its arguments, what it measures, goal as multiple of Dovecot
CASES = [
    ("select", "imap", ["--case", "select", "--seconds", "0.5"], "select", 1),
    ("select, new session", "imap", ["--case", "select-new", "--seconds", "0.5"], "select-new", 1),
    ("envelope", "imap", ["--case", "envelope"], "envelope", 2),
    ("bodies", "imap", ["--case", "bodies"], "bodies", 4),
    ("store", "imap", ["--case", "store"], "store", 2),
    ("search-subject few", "imap", ["--case", "search-subject", "few"], "search-subject", 2),
    ("search-subject many", "imap", ["--case", "search-subject", "many"], "search-subject", 2),
    ("search-text", "imap", ["--case", "search-text", "rare"], "search-text", 50),
    ("append", "imap", ["--case", "append", "--seconds", "1"], "append", 4),
    ("sessions", "imap", ["--case", "sessions", "--seconds", "1.5"], "sessions", 10),
    ("pop3 retr", "pop3", ["--case", "retr"], None, 2),
    ("pop3 pipelined", "pop3", ["--case", "retr-pipelined"], None, 1.5),
    ("last50", "imap", ["--case", "last50", "--seconds", "0.3"], "last50", None),
    ("flag-one", "imap", ["--case", "flag-one", "--seconds", "0.3"], "flag-one", None),
    ("idle-flags", "imap", ["--case", "idle-news", "--seconds", "0.3"], "idle-flags", None),
]
# After a restart, each measured in one go: of mail that nobody has looked at, and of mail that somebody has.
FIRST = [
    ("first-select, as delivered", "first-select", 10, True),
    ("first-envelope, as delivered", "first-envelope", 10, True),
    ("first-select", "first-select", 10, False),
    ("first-envelope", "first-envelope", 10, False),
]
NAMES = [case[0] for case in CASES] + ["first"]


def fill(load, servers, access, messages, size, progress):
    """The same messages for each server; the words to search for."""
    words = None
    for server in servers:
        told = load.run("imap-fill", server, *access, READER, "--messages", str(messages), "--size", str(size))
        progress(f"{server.name}: filled with {messages} messages, {told['bytes']} bytes, in {told['seconds']:.1f} s")
        if words and words != told["words"]:
            raise Failed("the servers were filled with different mail")
        words = told["words"]
        server.stop()
        server.keep_as_delivered(READER)
        server.start()
    return words


def arguments_of(case, words):
    arguments = list(case[2])
    if arguments[-1] in words:
        known = words[arguments.pop()]
        arguments += ["--word", known["word"], "--expect", str(known["messages"])]
    return arguments


def measure(load, servers, access, words, wanted, rounds, fast, progress):
    """results[name][server] = list of one dict a round. `fast`: a Dovecot for the sessions only, or None."""
    results = {}

    def note(number, name, server, ms, cpu_ms=None, load_seconds=None):
        round_ = {"ms": ms, "cpu_ms": cpu_ms, "load_seconds": load_seconds}
        results.setdefault(name, {}).setdefault(server.name, []).append(round_)
        progress(f"round {number + 1}: {name:<29} {server.name:<13} {ms:12.4f} ms")

    for number in range(rounds):
        order = servers if number % 2 == 0 else servers[::-1]
        if "first" in wanted:
            for delivered in (True, False):
                for server in order:
                    server.stop()
                    if delivered:
                        server.as_delivered(READER)
                    server.start()
                    told = load.run("imap", server, *access, READER, "--case", "first")
                    for name, what, _goal, so in FIRST:
                        if so == delivered:
                            note(number, name, server, one(told, what)["ms"])
        for case in CASES:
            name, program, _arguments, what, _goal = case
            if name not in wanted:
                continue
            for server in order + ([fast] if fast and name == "sessions" else []):
                before = processor_seconds(server.roots())
                told = load.run(program, server, *access, READER, *arguments_of(case, words))
                used = processor_seconds(server.roots()) - before
                if program == "pop3":
                    note(number, name, server, told["ms"], None, told["cpu_seconds"])
                    continue
                measured = one(told, what)
                times = sum(r["times"] for r in measured["rounds"])
                note(number, name, server, measured["ms"], used * 1000 / times if name == "sessions" else None,
                     told["cpu_seconds"])
                if name == "idle-flags":
                    note(number, "idle-arrival", server, one(told, "idle-arrival")["ms"])
    return results


def one(told, what):
    return next(m for m in told["measured"] if m["what"] == what)


def summary(results):
    """Medians, and the ratios of each round's pair."""
    goals = {case[0]: case[4] for case in CASES} | {first[0]: first[2] for first in FIRST}
    rows = []
    for name, servers in results.items():
        row = {"case": name, "goal": goals.get(name)}
        for server, rounds in servers.items():
            row[server] = {"ms": statistics.median(r["ms"] for r in rounds)}
            if rounds[0]["cpu_ms"] is not None:
                row[server]["cpu_ms"] = statistics.median(r["cpu_ms"] for r in rounds)
        if "mailward" in servers and "dovecot" in servers:
            ratios = [d["ms"] / m["ms"] for m, d in zip(servers["mailward"], servers["dovecot"])]
            row["ratio"] = statistics.median(ratios)
            row["range"] = [min(ratios), max(ratios)]
            row["met"] = None if row["goal"] is None else row["ratio"] >= row["goal"]
        rows.append(row)
    return rows


def show(rows, messages):
    """The table, as Markdown, so that it can be copied into the manual."""
    yield "| work | Dovecot, ms | Mailward, ms | times Dovecot | of the rounds | goal | |"
    yield "|---|---|---|---|---|---|---|"
    for row in rows:
        cell = lambda server: figure(row[server]["ms"]) if server in row else "–"
        ratio = f"**{figure(row['ratio'])}**" if "ratio" in row else "–"
        spread = f"{figure(row['range'][0])}–{figure(row['range'][1])}" if "range" in row else "–"
        goal = "–" if row["goal"] is None else f"{row['goal']}"
        met = {True: "met", False: "**missed**", None: ""}[row.get("met")]
        yield f"| {row['case']} | {cell('dovecot')} | {cell('mailward')} | {ratio} | {spread} | {goal} | {met} |"
    yield ""
    for row in rows:
        if row["case"] == "sessions":
            for server in ("dovecot", "dovecot-fast", "mailward"):
                if server in row:
                    ms = row[server]
                    yield f"sessions a second: {server} {1000 / ms['ms']:.0f}, {ms['cpu_ms']:.2f} ms of processor each"
        if row["case"].startswith("pop3") or row["case"] == "append":
            shown = [f"{s} {(1000 / row[s]['ms']):.0f}" for s in ("dovecot", "mailward") if s in row]
            yield f"{row['case']} a second: {', '.join(shown)}"
    yield f"{messages} messages"


def figure(number):
    """Three digits that count."""
    if number >= 100:
        return f"{number:.0f}"
    return f"{number:.1f}" if number >= 10 else f"{number:.2f}" if number >= 0.1 else f"{number:.3f}"
