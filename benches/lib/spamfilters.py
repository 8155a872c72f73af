"""Other spam filters, out of Debian's packages and unpacked below target/peers as `tests/lib/peers.py` does: bogofilter, SpamAssassin and
rspamd. Each learns some messages from nothing and judges others. None asks anybody outside: no lists in the DNS, no sums of others.

A message is (path, is it spam). What a filter says of one is a number: the more, the rather spam.
"""

import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "lib"))
import milters  # noqa: E402
import peers  # noqa: E402
from processes import free_port, listens, wait_for  # noqa: E402

LINE = "{} {}\n".format


def lines(messages):
    return "".join(LINE("spam" if spam else "ham", path) for path, spam in messages)


def library(root):
    """Where libraries of an unpacked package are."""
    return str(next((root / "usr" / "lib").glob("*-linux-gnu")))


class Filter:
    def judge_each(self, jobs):
        """What it says of each job's messages: (what it learns before, what it judges)."""
        return [self.judge(*job) for job in jobs]

    def stop(self):
        """Ends what it began."""


class Bogofilter(Filter):
    """As Debian ships it. One run learns and one judges: a process for each message takes minutes."""

    name = "bogofilter"
    # What it calls spam, by itself (spam_cutoff).
    usual = [("0.99, its own", 0.99)]

    def __init__(self, base):
        self.root = peers.fetch("bogofilter")
        self.base, self.runs = base / "bogofilter", 0
        self.base.mkdir()
        # Debian's alternative is a link that comes with installing.
        self.program = self.root / "usr" / "bin" / "bogofilter-bdb"
        self.about = self.run(["-V"], "").split("\n", 1)[0].replace(" version", "")

    def run(self, words, text):
        env = {"LD_LIBRARY_PATH": library(self.root), "PATH": "/usr/bin:/bin"}
        told = subprocess.run([self.program, *map(str, words)], input=text, text=True, capture_output=True, env=env)
        # 0: spam, 1: ham, 2: neither.
        if told.returncode > 2:
            raise RuntimeError(f"bogofilter: {told.stderr}")
        return told.stdout

    def judge(self, learn, judge):
        home = self.base / f"run-{self.runs}"
        self.runs += 1
        home.mkdir()
        for flag, kind in (("-s", True), ("-n", False)):
            self.run(["-C", "-d", home, flag, "-b"], "".join(f"{path}\n" for path, spam in learn if spam is kind))
        told = self.run(["-C", "-d", home, "-b", "-v", "-T"], "".join(f"{path}\n" for path, _ in judge))
        shutil.rmtree(home)
        scores = {}
        for line in told.splitlines():
            name, _, score = line.rsplit(" ", 2)
            scores[name] = float(score)
        return [scores[str(path)] for path, _ in judge]

class SpamAssassin(Filter):
    """Debian's rules and scores, with Bayes. As many processes as there are processors learn and judge at once."""

    name = "SpamAssassin"
    usual = [("5, its own", 5.0)]

    def __init__(self, base):
        self.root = peers.fetch("spamassassin")
        self.base = base / "spamassassin"
        self.base.mkdir()
        perl = [self.root / "usr" / "share" / "perl5", *(self.root / "usr" / "lib").glob("*-linux-gnu/perl5/*")]
        self.env = {"PERL5LIB": ":".join(map(str, perl)), "PATH": "/usr/bin:/bin", "LC_ALL": "C.UTF-8"}
        version = ["perl", "-MMail::SpamAssassin", "-e", "print Mail::SpamAssassin::Version()"]
        self.about = "SpamAssassin " + subprocess.run(version, env=self.env, check=True, capture_output=True, text=True).stdout

    def run(self, home, what, messages):
        words = ["perl", Path(__file__).with_name("spamassassin.pl"), self.root / "usr" / "share" / "spamassassin",
                 self.root / "etc" / "spamassassin", home, what]  # fmt: skip
        told = subprocess.run(list(map(str, words)), input=lines(messages), text=True, check=True, capture_output=True, env=self.env)
        return {path: float(points) for points, path in (line.split(" ", 1) for line in told.stdout.splitlines())}

    def judge(self, learn, judge):
        home = Path(tempfile.mkdtemp(dir=self.base))
        self.run(home, "learn", learn)
        told = self.run(home, "judge", judge)
        shutil.rmtree(home)
        return [told[str(path)] for path, _ in judge]

    def judge_each(self, jobs):
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            return list(pool.map(lambda job: self.judge(*job), jobs))


class Rspamd(Filter):
    """Its scanner and its controller, with Redis for its Bayes. It learns every message that it is told: by itself it leaves out those
    that it knows already. It gets the message alone: with the address that it came from, but no DNS, honest ones get more points."""

    name = "rspamd"
    usual = [("6, its mark", 6.0), ("15, its refusal", 15.0)]

    def __init__(self, base):
        self.base = base / "rspamd"
        self.base.mkdir(mode=0o755)
        root = peers.fetch("redis-server")
        self.redis_port, self.scanner, self.controller = free_port(), free_port(), free_port()
        env = {"LD_LIBRARY_PATH": library(root), "PATH": "/usr/bin:/bin"}
        words = [root / "usr" / "bin" / "redis-server", "--bind", "127.0.0.1", "--port", self.redis_port, "--save", "", "--dir", self.base]
        with open(self.base / "redis.log", "wb") as log:
            self.redis = subprocess.Popen(list(map(str, words)), stdout=log, stderr=log, env=env)
        self.rspamd = None
        try:
            self.start()
        except BaseException:
            self.stop()
            raise

    def start(self):
        # Patterns that it puts together at its first start are kept.
        patterns = peers.KEPT / "rspamd-patterns"
        patterns.mkdir(parents=True, exist_ok=True)
        off = "enabled = false;\n"
        self.rspamd = milters.rspamd(self.base, more={
            "local.d/worker-proxy.inc": off,
            "local.d/worker-normal.inc": f'bind_socket = "127.0.0.1:{self.scanner}";\ncount = {os.cpu_count()};\n',
            "local.d/worker-controller.inc": f'bind_socket = "127.0.0.1:{self.controller}";\nsecure_ip = "127.0.0.1";\n',
            "local.d/options.inc": 'dns {\n  nameserver = ["127.0.0.1:1"];\n  timeout = 0.05s;\n  retransmits = 1;\n}\n'
            f'hs_cache_dir = "{patterns}";\n',
            "local.d/classifier-bayes.conf": 'learn_condition = "return function() return true end";\n',
            "local.d/redis.conf": f'servers = "127.0.0.1:{self.redis_port}";\n',
            # What remembers messages it judged would know the second time what it saw the first.
            **{f"local.d/{part}.conf": off for part in ("neural", "greylist", "history_redis", "replies", "ratelimit", "reputation")},
        })  # fmt: skip
        wait_for("Redis", 60, lambda: listens(self.redis_port))
        wait_for("rspamd", 300, lambda: self.rspamd.process.poll() is not None or (listens(self.scanner) and listens(self.controller)))
        root = peers.fetch("rspamd")
        env = {"LD_LIBRARY_PATH": f"{library(root)}:{library(root)}/rspamd"}
        told = subprocess.run([root / "usr" / "bin" / "rspamd", "--version"], capture_output=True, text=True, env=env)
        self.about = "rspamd " + (re.search(r"\d+\.\d+(\.\d+)?", told.stdout + told.stderr) or ["", ""])[0]

    def ask(self, port, path, message):
        text = message.read_bytes()
        link = http.client.HTTPConnection("127.0.0.1", port, timeout=120)
        try:
            link.request("POST", path, text)
            answer = link.getresponse()
            return answer.status, answer.read()
        finally:
            link.close()

    def learn(self, message):
        path, spam = message
        status, told = self.ask(self.controller, "/learnspam" if spam else "/learnham", path)
        # 208: learned before; 204: there is too little in it.
        if status not in (200, 204, 208):
            raise RuntimeError(f"rspamd doesn't learn {path}: {status} {told!r}")

    def score(self, message):
        status, told = self.ask(self.scanner, "/checkv2", message[0])
        if status != 200:
            raise RuntimeError(f"rspamd doesn't judge {message[0]}: {status} {told!r}")
        return json.loads(told)["score"]

    def judge(self, learn, judge):
        with socket.create_connection(("127.0.0.1", self.redis_port)) as redis:
            redis.sendall(b"FLUSHALL\r\n")
            if not redis.recv(64).startswith(b"+OK"):
                raise RuntimeError("Redis doesn't forget")
        with ThreadPoolExecutor(4) as pool:
            # What is learned is counted: the order makes no difference.
            list(pool.map(self.learn, learn))
            return list(pool.map(self.score, judge))

    def stop(self):
        if self.rspamd:
            self.rspamd.stop()
        self.redis.terminate()
        self.redis.wait()


ALL = (Bogofilter, SpamAssassin, Rspamd)
