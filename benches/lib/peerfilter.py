"""Postfix with rspamd as its milter, out of Debian's packages, with the DNS of the run."""

import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "lib"))
import milters  # noqa: E402
import peers  # noqa: E402
from processes import free_port, listens, processes_of, processor_seconds, wait_for  # noqa: E402

DOMAIN = "example.test"


def rspamd(base, port):
    """rspamd with as many workers as there are processors, which checks what comes from loopback as a stranger's, as we do. The patterns that
    it puts together at its first start are kept: that takes minutes."""
    patterns = peers.KEPT / "rspamd-patterns"
    patterns.mkdir(parents=True, exist_ok=True)
    strict = "check_local = true;\n"
    return milters.rspamd(base, more={
        "local.d/worker-proxy.inc": 'bind_socket = "/run/milter.sock mode=0666";\nmilter = yes;\n'
        f'count = {os.cpu_count()};\nupstream "local" {{\n  self_scan = yes;\n  default = yes;\n}}\n',
        "local.d/options.inc": f'dns {{\n  nameserver = ["127.0.0.1:{port}"];\n  timeout = 1s;\n}}\nhs_cache_dir = "{patterns}";\n{strict}',
        **{f"local.d/{check}.conf": strict for check in ("spf", "dkim", "dmarc", "arc")},
        # What comes in isn't signed.
        "local.d/dkim_signing.conf": "enabled = false;\n",
        "local.d/greylist.conf": "enabled = false;\n",
    })  # fmt: skip


def postfix(base, port, milter):
    """Postfix as Debian ships it, chroot off, delivering into a Maildir."""
    main = f"""compatibility_level = 3.6
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
data_directory = /var/lib/postfix
queue_directory = /var/spool/postfix
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
maillog_file = /var/log/postfix.log
inet_interfaces = loopback-only
inet_protocols = ipv4
myhostname = mx.{DOMAIN}
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
virtual_mailbox_domains = {DOMAIN}
virtual_mailbox_base = /var/lib/mail
virtual_mailbox_maps = static:all/
virtual_uid_maps = static:{peers.USERS["mailbox"]}
virtual_gid_maps = static:{peers.USERS["mailbox"]}
smtpd_milters = unix:{milter}
milter_default_action = tempfail
"""
    service = "{} {} {} {} n {} {} {}\n".format
    master = service(f"127.0.0.1:{port}", "inet", "n", "-", "-", "-", "smtpd")
    for name, kind, private, wake, most, program in (
        ("pickup", "unix", "n", "60", "1", ""), ("cleanup", "unix", "n", "-", "0", ""), ("qmgr", "unix", "n", "300", "1", ""),
        ("tlsmgr", "unix", "-", "1000?", "1", ""), ("rewrite", "unix", "-", "-", "-", "trivial-rewrite"),
        ("bounce", "unix", "-", "-", "0", ""), ("defer", "unix", "-", "-", "0", "bounce"), ("trace", "unix", "-", "-", "0", "bounce"),
        ("verify", "unix", "-", "-", "1", ""), ("proxymap", "unix", "-", "-", "-", ""), ("smtp", "unix", "-", "-", "-", ""),
        ("error", "unix", "-", "-", "-", ""), ("retry", "unix", "-", "-", "-", "error"), ("virtual", "unix", "-", "-", "-", ""),
        ("anvil", "unix", "-", "-", "1", ""), ("scache", "unix", "-", "-", "1", ""), ("postlog", "unix-dgram", "n", "-", "1", "postlogd"),
        ("flush", "unix", "n", "1000?", "0", ""), ("showq", "unix", "n", "-", "-", ""),
    ):  # fmt: skip
        # Whoever delivers into mailboxes has to be root for it.
        master += service(name, kind, private, "n" if name == "virtual" else "-", wake, most, program or name)
    queues = "active bounce corrupt defer deferred flush hold incoming private saved trace".split()
    return peers.Peer(
        "postfix", "postfix", base, {"postfix/main.cf": main, "postfix/master.cf": master},
        ["/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix"],
        [("spool/postfix", "", 0o755), ("spool/postfix/pid", "", 0o755), ("lib/postfix", "postfix", 0o700)]
        + [(f"spool/postfix/{queue}", "postfix", 0o700) for queue in queues]
        + [("spool/postfix/maildrop", "postfix", 0o730), ("spool/postfix/public", "postfix", 0o710)],
    )  # fmt: skip


class Pair:
    """Both of them."""

    name = "postfix"

    def __init__(self, base, dns):
        self.base, self.dns, self.rspamd, self.postfix = base / "peer", dns, None, None

    def start(self):
        self.base.mkdir(mode=0o755)
        self.rspamd = rspamd(self.base, self.dns.port)
        socket = self.rspamd.home / "run" / "milter.sock"
        # It puts patterns together first, on a busy machine for minutes.
        wait_for("rspamd's start", 300, lambda: self.rspamd.process.poll() is not None or socket.exists())
        self.port = free_port()
        self.postfix = postfix(self.base, self.port, socket)
        wait_for("Postfix's start", 60, lambda: self.postfix.process.poll() is not None or listens(self.port))

    def processor(self):
        """Seconds of all of them: (together, rspamd's)."""
        each = [processor_seconds([one.process.pid]) for one in (self.postfix, self.rspamd)]
        return sum(each), each[1]

    def arrived(self):
        """Messages in the mailbox."""
        new = self.postfix.mail / "all" / "new"
        return len(os.listdir(new)) if new.is_dir() else 0

    def log_text(self):
        return "".join(one.log_text() for one in (self.rspamd, self.postfix) if one)

    def stop(self):
        for one in (self.postfix, self.rspamd):
            if one:
                group = list(processes_of(one.process.pid))
                one.stop()
                # Postfix's parts are groups of their own: they end when their master is gone.
                wait_for(f"{one.name}'s end", 60, lambda group=group: not any(os.path.exists(f"/proc/{pid}") for pid in group))
