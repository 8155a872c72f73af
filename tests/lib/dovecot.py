"""A Dovecot in a directory of the story's own, on loopback, with mail in Maildirs that the story fills.

Needs root, as Dovecot changes users. The package's own service and files are neither used nor touched.
"""

import os
import signal
import subprocess

from house import PATIENCE, Failed, Process, check, until

MAIL_UID = 5000


class Dovecot:
    """POP3 and IMAP under TLS from the first byte, at two ports."""

    def __init__(self, base, certificate, key, users, ports):
        check(os.geteuid() == 0, "this story runs as root: Dovecot changes users")
        self.base, self.users = base, users
        self.pop3s, self.imaps = ports
        # Others have to pass through on the way to their mail.
        for folder in (base.parent, base):
            folder.mkdir(exist_ok=True)
            folder.chmod(0o755)
        for user in users:
            for folder in ("cur", "new", "tmp"):
                (self.maildir(user) / folder).mkdir(parents=True)
        self.own()
        passwords = base / "users"
        passwords.write_text("".join(
            f"{user}:{{PLAIN}}{password}:{MAIL_UID}:{MAIL_UID}::{base}/mail/{user}::\n" for user, password in users.items()
        ))
        self.config = base / "dovecot.conf"
        self.config.write_text(f"""\
base_dir = {base}/run
state_dir = {base}/state
log_path = {base}/log
protocols = imap pop3
listen = 127.0.0.1
ssl = required
ssl_cert = <{certificate}
ssl_key = <{key}
mail_location = maildir:~/Maildir
mail_max_userip_connections = 100
first_valid_uid = 1
auth_mechanisms = plain login
passdb {{
  driver = passwd-file
  args = {passwords}
}}
userdb {{
  driver = passwd-file
  args = {passwords}
}}
service imap-login {{
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
""")
        self.process = None

    def maildir(self, user):
        return self.base / "mail" / user / "Maildir"

    def own(self):
        for path in [self.base / "mail", *(self.base / "mail").rglob("*")]:
            os.chown(path, MAIL_UID, MAIL_UID)

    def start(self):
        self.log = open(self.base / "out", "ab")
        self.process = subprocess.Popen(
            ["dovecot", "-F", "-c", self.config], stdin=subprocess.DEVNULL, stdout=self.log, stderr=self.log
        )
        Process.running.append(self)

        def ready():
            if self.process.poll() is not None:
                raise Failed(f"Dovecot did not start:\n{self.log_text()}")
            return (self.base / "run" / "master.pid").exists()

        until(ready, "Dovecot's start")

    def log_text(self):
        return "".join(p.read_text("utf-8", "replace") for p in (self.base / "log", self.base / "out") if p.exists())

    def signal(self, number):
        self.process.send_signal(number)

    def ended(self):
        self.process.wait(PATIENCE)
        if self in Process.running:
            Process.running.remove(self)

    def stop(self):
        self.signal(signal.SIGTERM)
        self.ended()

    def put(self, user, name, text):
        """A message, as a delivery leaves it: lines end as on Unix."""
        folder = self.maildir(user)
        beside = folder / "tmp" / name
        beside.write_bytes(text.replace(b"\r\n", b"\n"))
        os.chown(beside, MAIL_UID, MAIL_UID)
        beside.rename(folder / "new" / name)

    def held(self, user):
        """Messages that it holds."""
        return sum(1 for part in ("cur", "new") for _ in (self.maildir(user) / part).iterdir())
