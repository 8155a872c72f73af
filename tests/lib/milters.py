"""Other people's milters, taken from Debian's packages as `peers` takes mail servers: OpenDKIM, rspamd, and ClamAV's.

Each listens at a Unix socket below its own /run, which is `home/run` from outside.
"""

import subprocess

import peers

# What ClamAV finds here: words that are nowhere else.
VIRUS = b"mailward test infection, lantern and orchard"
# The words that every spam filter knows, in two halves so that this file isn't spam itself.
GTUBE = "XJS*C4JDBQADN1.NSBN3*2IDNEN*" + "GTUBE-STANDARD-ANTI-UBE-TEST-EMAIL*C.34X"


def opendkim(directory, name, mode, domain, keys):
    """OpenDKIM, which signs for `domain` ("s") or verifies ("v"). `keys` are the signing key as PEM, and the record's value."""
    private, record = keys
    text = f"""Mode {mode}
Socket local:/run/milter.sock
Domain {domain}
Selector test
KeyFile /etc/dkim/key.pem
TestPublicKeys /etc/dkim/public
RequireSafeKeys no
InternalHosts /etc/dkim/inside
PeerList /etc/dkim/nobody
AlwaysAddARHeader yes
AuthservID mail.test
MTA ORIGINATING
Canonicalization relaxed/simple
Background no
Syslog no
UMask 000
"""
    return peers.Peer(
        name, "opendkim", directory,
        {
            "opendkim.conf": text, "dkim/key.pem": private, "dkim/public": f"test._domainkey.{domain} {record}\n",
            # Who is inside has its mail signed: here by the name of the door, never by its address.
            "dkim/inside": "192.0.2.255\n", "dkim/nobody": "192.0.2.254\n",
        },
        ["/usr/sbin/opendkim", "-f", "-x", "/etc/opendkim.conf"],
    )  # fmt: skip


def rspamd(directory, name="rspamd", more=None):
    """rspamd's proxy worker, which looks at the message itself; asks no DNS that answers, and keeps nothing. `more`: other
    files of its configuration, by path below /etc/rspamd."""
    kept = peers.fetch("rspamd") / "etc" / "rspamd"
    etc = {f"rspamd/{file.relative_to(kept)}": file.read_text() for file in kept.rglob("*") if file.is_file()}
    etc |= {
        "rspamd/local.d/worker-proxy.inc": 'bind_socket = "/run/milter.sock mode=0666";\nmilter = yes;\nupstream "local" {\n  self_scan = yes;\n  default = yes;\n}\n',
        "rspamd/local.d/worker-normal.inc": "enabled = false;\n",
        "rspamd/local.d/worker-controller.inc": "enabled = false;\n",
        "rspamd/local.d/worker-fuzzy.inc": "enabled = false;\n",
        "rspamd/local.d/options.inc": 'dns {\n  nameserver = ["127.0.0.1:1"];\n  timeout = 0.05s;\n  retransmits = 1;\n}\n',
        "rspamd/local.d/milter_headers.conf": 'use = ["x-spamd-bar", "x-spam-status"];\nskip_local = false;\nskip_authenticated = false;\n',
        "rspamd/local.d/rbl.conf": "enabled = false;\n",
        "rspamd/local.d/fuzzy_check.conf": "enabled = false;\n",
        "rspamd/local.d/classifier-bayes.conf": "enabled = false;\n",
        "rspamd/local.d/logging.inc": 'type = "console";\nlevel = "info";\n',
        # What every map is read from has to be here: nothing is fetched.
        "rspamd/local.d/phishing.conf": "openphish_enabled = false;\nphishtank_enabled = false;\n",
    }  # fmt: skip
    etc |= {f"rspamd/{path}": text for path, text in (more or {}).items()}
    return peers.Peer(
        name, "rspamd", directory, etc, ["/usr/bin/rspamd", "-f", "-i", "-c", "/etc/rspamd/rspamd.conf"],
        [("lib/rspamd", "", 0o755), ("log/rspamd", "", 0o755), ("run/rspamd", "", 0o755)],
    )  # fmt: skip


def clamav(directory, name="clamav"):
    """clamd and its milter, which knows one virus."""
    daemon = """LocalSocket /run/clamd.sock
LocalSocketMode 666
DatabaseDirectory /etc/clamav/db
Foreground yes
LogVerbose yes
"""
    milter = """MilterSocket unix:/run/milter.sock
MilterSocketMode 666
ClamdSocket unix:/run/clamd.sock
OnInfected Reject
RejectMsg Infected by %v
AddHeader Replace
Foreground yes
LogFile /var/log/milter.log
LogVerbose yes
LogInfected Full
"""
    both = peers.fetch("clamav-milter")
    place = peers.fetch("clamav-daemon")
    # Two packages in one view: the milter's program is laid beside the daemon.
    kept = place / "usr" / "sbin" / "clamav-milter"
    if not kept.exists():
        subprocess.run(["cp", "-an", f"{both}/usr/.", f"{place}/usr/"], check=True)
    return peers.Peer(
        name, "clamav-daemon", directory,
        {
            "clamav/clamd.conf": daemon, "clamav/clamav-milter.conf": milter,
            "clamav/db/test.ndb": f"Mailward.Test:0:*:{VIRUS.hex()}\n",
        },
        ["sh", "-e", "-c", "/usr/sbin/clamd -c /etc/clamav/clamd.conf &\nuntil [ -S /run/clamd.sock ]; do sleep 0.1; done\n"
         "exec /usr/sbin/clamav-milter -c /etc/clamav/clamav-milter.conf"],
    )  # fmt: skip
