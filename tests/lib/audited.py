"""A server that is audited: as a demo comes, with a DNS of the story's own and a virus scanner."""

import re

from house import *
from signed import A, MX, TXT, Signed, openssl


def zone():
    """What the DNS should say of the demo's domain."""
    names = Signed(dnssec=False)
    names.add("example.test", TXT, "v=spf1 mx -all")
    names.add("example.test", MX, (10, "mail.example.test"))
    # One that is nobody's private one; nothing is sent there.
    names.add("mail.example.test", A, "45.33.32.156")
    names.add("_dmarc.example.test", TXT, "v=DMARC1; p=reject")
    return names


class House:
    """A server with a scanner."""

    def __init__(self, port, clamd, settings=(), **demo):
        """`port` is the DNS's; `settings` are keys with their values, as TOML; `demo` is what a demo is told."""
        demo = Demo(**demo)
        demo.stop()
        self.clamd = clamd
        self.data, self.settings = demo.data, demo.data / "mailward.toml"
        for key, value in (
            ("dns.servers", f'["127.0.0.1:{port}"]'), ("dns.dnssec", "false"), ("quarantine.alert", "false"),
            ("antivirus.engines", json.dumps([f"clamd unix:{clamd.socket}"])), *settings,
        ):  # fmt: skip
            self.set(key, value)
        self.demo = Served(demo)

    def set(self, key, value):
        section, _, key = key.rpartition(".")
        text, count = re.subn(
            rf"(?sm)(^\[{section}\]\n(?:(?!^\[).)*?^)#?{key} = [^\n]*$", lambda found: f"{found[1]}{key} = {value}", self.settings.read_text()
        )  # fmt: skip
        same(count, 1, f"one {key}")
        self.settings.write_text(text)

    def restart(self):
        self.demo.stop()
        self.demo = Served(self.demo)

    def again(self, key, value):
        self.demo.stop()
        self.set(key, value)
        self.demo = Served(self.demo)

    def ask(self, *words):
        return mailward(*words, "--data", self.data, ok=None)

    def do(self, *words):
        return mailward(*words, "--data", self.data)

    def audit(self, *words, between=None):
        """What each control says, by its name; asked in the network of a box, if there is one."""
        words = ("audit", "run", *words, "--json", "--data", self.data)
        done = between.mailward(*words) if between else mailward(*words, ok=None)
        same(done.returncode, 0, f"{words}: {done.stderr}")
        return {record["id"]: record for record in json.loads(done.stdout)["records"]}

    def certificate(self, name, since, days, directory=None):
        """A certificate of the demo's own authority for a name, from some days ago on for so many days, written where the server has its
        own, or into a directory: (certificate file, key file)."""
        place = directory or self.data / "tls"
        place.mkdir(exist_ok=True)
        at = lambda day: time.strftime("%Y%m%d%H%M%SZ", time.gmtime(time.time() + day * 86_400))
        (place / "index").write_text("")
        (place / "authority").write_text(
            f"[ca]\ndefault_ca=own\n[own]\ndatabase={place}/index\nrand_serial=yes\nnew_certs_dir={place}\ndefault_md=sha256\npolicy=any\n"
            "x509_extensions=leaf\n[any]\ncommonName=supplied\n[leaf]\nbasicConstraints=critical,CA:FALSE\nextendedKeyUsage=serverAuth\n"
            f"keyUsage=critical,digitalSignature\nsubjectAltName=DNS:{name},DNS:localhost,IP:127.0.0.1\n"
        )
        openssl(
            "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", f"/CN={name}",
            "-keyout", place / "new.key", "-out", place / "new.csr",
        )  # fmt: skip
        openssl(
            "ca", "-batch", "-notext", "-config", place / "authority", "-cert", self.data / "tls/ca.pem", "-keyfile", self.data / "tls/ca-key.pem",
            "-startdate", at(-since), "-enddate", at(days - since), "-in", place / "new.csr", "-out", place / "new.pem",
        )  # fmt: skip
        (place / "new.key").chmod(0o600)
        (place / "new.key").rename(place / "key.pem")
        (place / "new.pem").rename(place / "certificate.pem")
        return place / "certificate.pem", place / "key.pem"
