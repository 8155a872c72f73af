"""Other people's spam filters for real, from Debian's packages: SpamAssassin's daemon and rspamd's worker, without the DNS."""

import milters
import peers


def spamd(directory, port):
    """SpamAssassin's daemon at a port of loopback."""
    kept = peers.fetch("spamd") / "etc" / "spamassassin"
    etc = {f"spamassassin/{file.name}": file.read_text() for file in kept.iterdir() if file.is_file()}
    return peers.Peer(
        "spamd", "spamd", directory, etc,
        ["/usr/sbin/spamd", "--local", "--nouser-config", "--listen", f"127.0.0.1:{port}", "--max-children", "2",
         "--min-children", "1", "--max-spare", "1", "--syslog", "stderr", "--debug", "received-header"],
        [("lib/spamassassin", "", 0o755)],
    )  # fmt: skip


def rspamd(directory, port):
    """rspamd's worker that is asked by HTTP, at a port of loopback."""
    worker = f'enabled = true;\nbind_socket = "127.0.0.1:{port}";\ncount = 1;\n'
    proxy = "enabled = false;\n"
    return milters.rspamd(directory, more={"local.d/worker-normal.inc": worker, "local.d/worker-proxy.inc": proxy})
