"""c-icap for real, with its virus scanning service, from Debian's packages: an ICAP server that asks a clamd."""

import socket

import peers


class CIcap(peers.Peer):
    """At `port` of loopback, asking the clamd at a socket. Its services: `/avscan` looks at messages of any size,
    `/antivirus_module` at those of at most 5 MB, and `/echo` gives back what it gets."""

    def __init__(self, directory, port, clamd):
        self.port = port
        text = f"""PidFile /run/c-icap.pid
CommandsSocket /run/c-icap.ctl
StartServers 1
MaxServers 2
MinSpareThreads 2
MaxSpareThreads 4
ThreadsPerChild 4
Port 127.0.0.1:{port}
TmpDir /tmp
DebugLevel 1
ModulesDir /usr/lib/x86_64-linux-gnu/c_icap
ServicesDir /usr/lib/x86_64-linux-gnu/c_icap
TemplateDir /usr/share/c_icap/templates/
TemplateDefaultLanguage en
LoadMagicFile /etc/c-icap/c-icap.magic
ServerLog /var/log/server.log
AccessLog /var/log/access.log
Service echo srv_echo.so
Module common clamd_mod.so
clamd_mod.ClamdSocket {clamd}
Service antivirus_module virus_scan.so
ServiceAlias avscan virus_scan?allow204=on&sizelimit=off&mode=simple
virus_scan.ScanFileTypes TEXT DATA EXECUTABLE ARCHIVE GIF JPEG MSOFFICE
virus_scan.SendPercentData 5
virus_scan.StartSendPercentDataAfter 2M
virus_scan.MaxObjectSize 5M
"""
        package = "libc-icap-mod-virus-scan"
        magic = peers.fetch(package) / "etc" / "c-icap" / "c-icap.magic"
        # Where its modules are depends on the host's kind.
        (modules,) = (peers.fetch(package) / "usr" / "lib").glob("*/c_icap")
        text = text.replace("x86_64-linux-gnu", modules.parent.name)
        super().__init__(
            "c-icap", package, directory, {"c-icap/c-icap.conf": text, "c-icap/c-icap.magic": magic.read_text()},
            ["/usr/bin/c-icap", "-N", "-f", "/etc/c-icap/c-icap.conf"],
        )  # fmt: skip

    def listens(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"c-icap ended with {self.process.returncode}:\n{self.log_text()[-4000:]}")
        try:
            socket.create_connection(("127.0.0.1", self.port), 5).close()
            return True
        except OSError:
            return False
