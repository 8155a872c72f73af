"""The servers that are read from: a Mailward of its own and a Dovecot of its own, on loopback, in one directory."""

import json
import os
import shutil
import signal
import subprocess

from processes import Failed, free_port, listens, processes_of, wait_for

DOMAIN = "example.test"
PASSWORD = "wexfoalr-94-Umbrosk-ditl"
MAIL_UID = 5000
# More than any run opens; Dovecot warns if it is more than the usual limit of open files.
CONNECTIONS = 5_000


class Mailward:
    """`mailward setup` and `serve`; each user's mail in the one store."""

    name = "mailward"

    def __init__(self, base, binary, users, name="mailward"):
        self.base, self.binary, self.users = base / name, str(binary), users
        self.base.mkdir()
        self.data = self.base / "data"
        self.process = None

    def make(self):
        for _ in range(50):
            # Ports are a base plus the usual ones.
            port_base = free_port() // 100 * 100
            if port_base < 11_000 or port_base > 60_000:
                continue
            done = self.run("setup", DOMAIN, "--user", "", "--port-base", str(port_base), check=False)
            if done.returncode == 0:
                break
        else:
            raise Failed(f"mailward setup: {done.stderr.decode()}")
        self.imaps, self.pop3s = port_base + 993, free_port()
        self.ca, self.tls_name = self.data / "tls" / "ca.pem", f"mail.{DOMAIN}"
        config = self.data / "mailward.toml"
        text = config.read_text()
        for old, new in [
            ('#pop3s = "off"', f'pop3s = ["127.0.0.1:{self.pop3s}"]'),
            ("#connections = 4000", f"connections = {CONNECTIONS}"),
            # All come from one address here.
            ("#connections_per_address = 200", f"connections_per_address = {CONNECTIONS}"),
            ("#sessions_per_account = 100", f"sessions_per_account = {CONNECTIONS}"),
        ]:
            if old not in text:
                raise Failed(f"mailward.toml has no {old!r}")
            text = text.replace(old, new)
        config.write_text(text)
        for user in self.users:
            self.run("user", "add", f"{user}@{DOMAIN}", input=PASSWORD.encode() + b"\n")

    def run(self, *arguments, check=True, input=None):
        done = subprocess.run([self.binary, *arguments, "--data", self.data], input=input, capture_output=True)
        if check and done.returncode != 0:
            raise Failed(f"mailward {' '.join(arguments)}: {done.stderr.decode()}")
        return done

    def start(self):
        with open(self.base / "log", "ab") as log:
            self.process = subprocess.Popen(
                [self.binary, "serve", "--data", self.data], stdout=log, stderr=log, stdin=subprocess.DEVNULL)
        wait_for("mailward's start", 120, lambda: self.process.poll() is not None or listens(self.imaps), 0.005)
        if self.process.poll() is not None:
            raise Failed(f"mailward did not start; see {self.base}/log")

    def stop(self):
        if self.process and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(20)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()

    def keep_as_delivered(self, user):
        """Here it makes no difference whether anybody has looked."""

    def as_delivered(self, user):
        pass

    def roots(self):
        return [self.process.pid]


class Dovecot:
    """Dovecot with Maildir. `fast` has its login processes in the high-performance mode, where one serves many
    connections; else each connection has one of its own, as Dovecot ships. Both may share the mail."""

    def __init__(self, base, certificate, mail, users, fast=False):
        self.name = "dovecot-fast" if fast else "dovecot"
        self.base, self.mail, self.fast, self.users = base / self.name, mail, fast, users
        self.certificate, self.key = certificate
        self.base.mkdir(mode=0o755)
        self.process = None

    def make(self):
        if not self.mail.exists():
            self.mail.mkdir()
            os.chown(self.mail, MAIL_UID, MAIL_UID)
        users = self.base / "users"
        users.write_text("".join(
            f"{user}@{DOMAIN}:{{PLAIN}}{PASSWORD}:{MAIL_UID}:{MAIL_UID}::{self.mail}/{user}::\n"
            for user in self.users))
        self.imaps, self.pop3s = free_port(), free_port()
        login = f"service_count = 0\n  client_limit = {CONNECTIONS}\n  process_min_avail = {os.cpu_count()}" if self.fast \
            else "service_count = 1\n  client_limit = 1"
        (self.base / "dovecot.conf").write_text(f"""\
base_dir = {self.base}/run
state_dir = {self.base}/state
log_path = {self.base}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <{self.certificate}
ssl_key = <{self.key}
ssl_options = no_ticket
mail_location = maildir:~/Maildir
mail_fsync = optimized
mail_max_userip_connections = {CONNECTIONS}
first_valid_uid = 1
auth_mechanisms = plain
default_client_limit = {CONNECTIONS * 2}
passdb {{
  driver = passwd-file
  args = {users}
}}
userdb {{
  driver = passwd-file
  args = {users}
}}
service imap-login {{
  {login}
  process_limit = {CONNECTIONS}
  vsz_limit = 1G
  inet_listener imap {{
    port = 0
  }}
  inet_listener imaps {{
    port = {self.imaps}
    ssl = yes
  }}
}}
service pop3-login {{
  inet_listener pop3 {{
    port = 0
  }}
  inet_listener pop3s {{
    port = {self.pop3s}
    ssl = yes
  }}
}}
service imap {{
  client_limit = 1
  process_limit = {CONNECTIONS}
}}
service pop3 {{
  client_limit = 1
}}
""")

    def start(self):
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.base / "dovecot.conf"], stdin=subprocess.DEVNULL)
        wait_for("Dovecot's start", 20, lambda: self.process.poll() is not None or listens(self.imaps), 0.005)
        if self.process.poll() is not None:
            raise Failed(f"Dovecot did not start; see {self.base}/log")

    def stop(self):
        if not self.process or self.process.poll() is not None:
            return
        group = list(processes_of(self.process.pid))
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)
        wait_for("Dovecot's stop", 60, lambda: not any(os.path.exists(f"/proc/{p}") for p in group))

    def keep_as_delivered(self, user):
        """Keeps a copy of a mailbox that was filled and never selected, its files in `new`, where deliveries are; only
        while Dovecot doesn't run."""
        maildir, kept = self.mail / user / "Maildir", self.mail / user / "as-delivered"
        subprocess.run(["cp", "-a", maildir, kept], check=True)
        for path in (kept / "cur").iterdir():
            path.rename(kept / "new" / path.name.split(":")[0])

    def as_delivered(self, user):
        """Puts that copy in the mailbox's place."""
        maildir, kept = self.mail / user / "Maildir", self.mail / user / "as-delivered"
        shutil.rmtree(maildir)
        subprocess.run(["cp", "-a", kept, maildir], check=True)
        os.sync()

    def roots(self):
        return [self.process.pid]


def missing():
    """Programs and packages that are not there."""
    needed = [("dovecot", shutil.which("dovecot") or os.path.exists("/usr/sbin/dovecot"), "dovecot-core"),
              ("imap", os.path.exists("/usr/lib/dovecot/imap"), "dovecot-imapd"),
              ("pop3", os.path.exists("/usr/lib/dovecot/pop3"), "dovecot-pop3d")]
    return [package for _, there, package in needed if not there]


class Load:
    """The load programs, all told the same of a server."""

    def __init__(self, binary, base):
        self.binary = str(binary)
        self.password = base / "password"
        self.password.write_text(PASSWORD + "\n")
        self.password.chmod(0o600)

    def command(self, what, server, ca, tls_name, user, *more):
        port = server.pop3s if what == "pop3" else server.imaps
        return [self.binary, "bench", what, "--host", "127.0.0.1", "--port", str(port), "--user", f"{user}@{DOMAIN}",
                "--password-file", str(self.password), "--tls", "implicit", "--ca", str(ca), "--tls-name", tls_name,
                "--json", *more]

    def run(self, *arguments, timeout=900):
        done = subprocess.run(self.command(*arguments), capture_output=True, timeout=timeout)
        if done.returncode != 0:
            server = arguments[1].name
            raise Failed(f"{server}: {' '.join(map(str, arguments[5:]))}: {done.stderr.decode().strip()}")
        return json.loads(done.stdout)
