"""Other people's programs, taken from Debian's packages without being installed: mail servers of Debian can't be installed
beside one another, and their packages would change the host.

A package is fetched by `apt-get download`, with what it needs and the host lacks, and unpacked into a directory of its
own below `target/peers`, once. Run by itself, this fetches all of them.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(os.environ.get("MAILWARD_PEERS") or Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "peers")
PACKAGES = (
    "postfix", "exim4-daemon-light", "opensmtpd", "libfaketime", "opendkim", "rspamd", "clamav-daemon", "clamav-milter",
    "clamav", "libc-icap-mod-virus-scan", "spamd", "clamav-testfiles", "7zip", "gcab", "genisoimage", "arj", "ncompress", "zstd", "cpio",
    "testssl.sh",
)  # fmt: skip


class Missing(Exception):
    """A package that can't be had."""


def fetch(package):
    """The directory that a package is unpacked into."""
    return kept(package, lambda place: unpack(package, place))


def kept(name, make):
    """A directory below `KEPT`, made once by `make`, by one story at a time."""
    place = KEPT / name
    KEPT.mkdir(parents=True, exist_ok=True)
    with open(KEPT / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            try:
                make(place)
            except (OSError, subprocess.CalledProcessError) as error:
                output = getattr(error, "stdout", b"") or b""
                raise Missing(f"{name} can't be fetched: {error}\n{output.decode('utf-8', 'replace')[-2000:]}") from None
    return place


def unpack(package, place):
    fetched = place.with_suffix(".new")
    shutil.rmtree(fetched, ignore_errors=True)
    for one in download([package], fetched / "packages"):
        command("dpkg-deb", "--extract", str(one), str(fetched))
    shutil.rmtree(fetched / "packages")
    # Some still name directories that have been links into /usr for long.
    for part in ("bin", "sbin", "lib"):
        if (fetched / part).is_dir():
            command("cp", "-a", "--no-clobber", f"{fetched / part}/.", str(fetched / "usr" / part))
            shutil.rmtree(fetched / part)
    fetched.rename(place)


def download(packages, place):
    """The files of packages, and of what would have to come with them; what would have to go, as another mail server, stays
    where it is."""
    place.mkdir(parents=True)
    planned = command("apt-get", "install", "--simulate", "--no-install-recommends", "--reinstall", *packages)
    names = dict.fromkeys([*packages, *re.findall(r"(?m)^Inst (\S+)", planned)])
    # Nobody but root has to read it: the fetching is done by root.
    command("apt-get", "download", "-o", "APT::Sandbox::User=root", *names, cwd=place)
    return sorted(place.glob("*.deb"))


def command(*words, **more):
    return subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, **more).stdout.decode()


@contextlib.contextmanager
def faster(times):
    """Programs begun meanwhile live in a time that runs so many times faster, their clocks as well as their waits; None:
    as usual. Limits of minutes pass in seconds, and are those that the binary has for everybody."""
    if times is None:
        yield
        return
    (library,) = fetch("libfaketime").glob("usr/lib/*/faketime/libfaketimeMT.so.1")
    own = {"LD_PRELOAD": str(library), "FAKETIME": f"+0 x{times}"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


# ---- servers ------------------------------------------------------------------------------------------------

# Who runs them; known in their own view of /etc only.
USERS = {
    "postfix": 31_001, "postdrop": 31_002, "Debian-exim": 31_003, "opensmtpd": 31_004, "opensmtpq": 31_005, "mailbox": 31_006,
}  # fmt: skip


class Peer:
    """A mail server in a view of the file system of its own: its package over /usr, its configuration over /etc, and
    directories of the story in place of /var/spool, /var/lib, /var/log and /run. The host keeps what it has. `etc` are its
    files, by path below /etc; keys are for root and the group `reader`. It delivers into Maildirs below /var/lib/mail, which is `self.mail` from outside."""

    def __init__(self, name, package, directory, etc, command, spools=(), reader="", resolver="127.0.0.1"):
        self.name, self.home = name, directory / name
        self.mail = self.home / "lib" / "mail"
        if os.geteuid() != 0:
            raise Missing("other mail servers change users and have to be begun as root")
        root = fetch(package)
        for part in ("etc", "spool", "lib", "log", "run", "lib/mail", "lib/opensmtpd/empty"):
            (self.home / part).mkdir(parents=True)
        self.own(self.mail, "mailbox")
        users = "".join(f"{user}:x:{number}:{number}::/nonexistent:/usr/sbin/nologin\n" for user, number in USERS.items())
        groups = "".join(f"{user}:x:{number}:\n" for user, number in USERS.items())
        for path, text in {
            # The first one counts: the host may have some of them, with other numbers.
            "passwd": users + Path("/etc/passwd").read_text(),
            "group": groups + Path("/etc/group").read_text(),
            "hosts": "127.0.0.1 localhost\n",
            "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\n",
            "resolv.conf": f"nameserver {resolver}\noptions attempts:2 timeout:5\n",
            "mailname": f"{name}.example\n",
            **etc,
        }.items():
            (self.home / "etc" / path).parent.mkdir(parents=True, exist_ok=True)
            (self.home / "etc" / path).write_text(text)
            (self.home / "etc" / path).chmod(0o640 if path.endswith("key.pem") else 0o644)
            os.chown(self.home / "etc" / path, 0, USERS.get(reader, 0))
        for path, user, mode in spools:
            (self.home / path).mkdir(parents=True, exist_ok=True)
            self.own(self.home / path, user)
            (self.home / path).chmod(mode)
        view = [
            f"mount -t overlay overlay -o lowerdir={root}/usr:/usr /usr",
            f"mount -t overlay overlay -o lowerdir={self.home}/etc:/etc /etc",
            *(f"mount --bind {self.home}/{part} {place}" for part, place in
              (("spool", "/var/spool"), ("lib", "/var/lib"), ("log", "/var/log"), ("run", "/run"))),
            'exec "$@"',
        ]  # fmt: skip
        self.output = self.home / "output"
        with open(self.output, "wb") as output:
            self.process = subprocess.Popen(
                ["unshare", "--mount", "--propagation", "private", "sh", "-e", "-c", "\n".join(view), name, *map(str, command)],
                stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", process_group=0,
                env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8"},
            )  # fmt: skip

    def own(self, path, user):
        os.chown(path, USERS.get(user, 0), USERS.get(user, 0))

    def log_text(self):
        """All that it wrote about its doings."""
        files = [self.output, *sorted((self.home / "log").rglob("*log"))]
        return "".join(file.read_text("utf-8", "replace") for file in files if file.is_file())

    def messages(self):
        """What it delivered, lines ending with CRLF."""
        files = [file for file in self.mail.rglob("*") if file.is_file() and file.parent.name == "new"]
        return [file.read_bytes().replace(b"\n", b"\r\n") for file in files]

    def subject(self, subject):
        return [text for text in self.messages() if f"\r\nSubject: {subject}\r\n".encode() in text]

    def stop(self):
        """Ends it and all that it began."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, 15)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, 9)
            self.process.wait()


def postfix(directory, address, plain, port, back, certificate, policy, size):
    """Postfix: at `address` with STARTTLS and a policy service on port `policy`, at `plain` without. What isn't for
    postfix.example goes to port `back`."""
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
myhostname = postfix.example
mydestination =
mynetworks = 127.0.0.0/8
alias_maps =
local_recipient_maps =
relayhost = [127.0.0.1]:{back}
smtp_bind_address = {address}
smtp_tls_security_level = encrypt
smtp_host_lookup = native
smtputf8_enable = yes
message_size_limit = {size}
mailbox_size_limit = 0
virtual_mailbox_limit = 0
virtual_mailbox_domains = postfix.example, plain.example
virtual_mailbox_base = /var/lib/mail
virtual_mailbox_maps = regexp:/etc/postfix/users
virtual_uid_maps = static:{USERS["mailbox"]}
virtual_gid_maps = static:{USERS["mailbox"]}
transport_maps = texthash:/etc/postfix/transport
smtpd_tls_cert_file = /etc/postfix/cert.pem
smtpd_tls_key_file = /etc/postfix/key.pem
smtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination
smtpd_recipient_restrictions = reject_unlisted_recipient, check_policy_service inet:127.0.0.1:{policy}
minimal_backoff_time = 1s
queue_run_delay = 1s
"""
    service = "{} {} {} {} n {} {} {}\n".format
    master = service(f"{address}:{port}", "inet", "n", "-", "-", "-", "smtpd -o smtpd_tls_security_level=may")
    master += service(f"{plain}:{port}", "inet", "n", "-", "-", "-", "smtpd -o smtpd_tls_security_level=none")
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
    cert, key, _ = certificate
    queues = (
        "active bounce corrupt defer deferred flush hold incoming private saved trace".split()
    )  # fmt: skip
    return Peer(
        "postfix", "postfix", directory,
        {
            "postfix/main.cf": main, "postfix/master.cf": master, "postfix/cert.pem": cert.read_text(), "postfix/key.pem": key.read_text(),
            "postfix/users": "/^(you|yöu|grey|refused|u[0-9]+)@/ all/\n",
            "postfix/transport": "refused@postfix.example error:5.7.9 refused behind the door\n",
        },
        ["/usr/lib/postfix/sbin/master", "-d", "-c", "/etc/postfix"],
        [("spool/postfix", "", 0o755), ("spool/postfix/pid", "", 0o755), ("lib/postfix", "postfix", 0o700)]
        + [(f"spool/postfix/{queue}", "postfix", 0o700) for queue in queues]
        + [("spool/postfix/maildrop", "postfix", 0o730), ("spool/postfix/public", "postfix", 0o710)],
    )  # fmt: skip


def exim(directory, address, port, back, certificate, size, resolver):
    """Exim, at `address` with STARTTLS; it checks DKIM signatures by the DNS at `resolver`, port 53. What isn't for exim.example goes to port `back`."""
    cert, key, _ = certificate
    text = f"""primary_hostname = exim.example
local_interfaces = {address}
daemon_smtp_ports = {port}
disable_ipv6 = true
tls_advertise_hosts = *
tls_certificate = /etc/exim4/cert.pem
tls_privatekey = /etc/exim4/key.pem
dsn_advertise_hosts = *
chunking_advertise_hosts = *
smtputf8_advertise_hosts = *
message_size_limit = {size}
log_file_path = /var/log/exim4/%slog
log_selector = +pipelining +8bitmime +received_recipients +dkim_verbose
acl_smtp_rcpt = rcpt
acl_smtp_data = data
host_lookup =
rfc1413_hosts =
keep_environment =
queue_run_in_order = false
recipients_max = 0

begin acl
rcpt:
  defer   local_parts = grey
          condition = ${{if exists{{/var/lib/mail/not-grey}}{{no}}{{yes}}}}
          message = 4.7.1 greylisted, come again
  require message = 5.1.1 no such user here
          domains = exim.example
          local_parts = you : grey : ^u[0-9]+\$
  accept
  # What goes out comes from this host itself.
data:
  accept

begin routers
home:
  driver = accept
  domains = exim.example
  transport = maildir
out:
  driver = manualroute
  route_list = * 127.0.0.1::{back}
  self = send
  host_find_failed = defer
  transport = relay

begin transports
maildir:
  driver = appendfile
  directory = /var/lib/mail/all
  maildir_format
  user = mailbox
  group = mailbox
relay:
  driver = smtp
  hosts_require_tls = *
  tls_verify_hosts =
  tls_try_verify_hosts =
  interface = {address}

begin retry
* * F,1h,1s
"""
    # Mail that comes from loopback may leave.
    text = text.replace("  require message", "  accept  hosts = 127.0.0.0/8\n          !domains = exim.example\n  require message", 1)
    return Peer(
        "exim", "exim4-daemon-light", directory,
        {"exim4/exim4.conf": text, "exim4/cert.pem": cert.read_text(), "exim4/key.pem": key.read_text()},
        ["/usr/sbin/exim4", "-bdf", "-q10m"],
        [("spool/exim4", "Debian-exim", 0o750), ("log/exim4", "Debian-exim", 0o750), ("run/exim4", "Debian-exim", 0o750)],
        "Debian-exim",
        resolver,
    )  # fmt: skip


def opensmtpd(directory, address, port, back, certificate, size):
    """OpenSMTPD, at `address` with STARTTLS. What isn't for opensmtpd.example goes to port `back`."""
    cert, key, _ = certificate
    text = f"""pki "mx.example" cert "/etc/smtpd/cert.pem"
pki "mx.example" key "/etc/smtpd/key.pem"
table users {{ you = mailbox }}
smtp max-message-size "{size}"
listen on {address} port {port} tls pki "mx.example" hostname opensmtpd.example
action "in" maildir "/var/lib/mail/all" virtual <users>
action "out" relay host smtp+tls://127.0.0.1:{back} tls no-verify src {address} helo opensmtpd.example
match from any for domain "opensmtpd.example" rcpt-to "you@opensmtpd.example" action "in"
match from any for domain "opensmtpd.example" reject
match from any for any action "out"
"""
    return Peer(
        "opensmtpd", "opensmtpd", directory,
        {"smtpd.conf": text, "smtpd/cert.pem": cert.read_text(), "smtpd/key.pem": key.read_text()},
        ["/usr/sbin/smtpd", "-d"],
    )  # fmt: skip


if __name__ == "__main__":
    try:
        for each in PACKAGES:
            print(fetch(each))
    except Missing as error:
        sys.exit(f"{error}\n(apt-get update may help; this needs Debian and the network)")
