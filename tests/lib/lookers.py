"""Other people's tools that look at a mail server from outside: nmap, sslyze and testssl.sh at its doors, dig and checkdmarc in the DNS.
Each gives facts, `{(port, fact): value}`, in one form, so that they can be laid beside one another; port 0 is the host's. Facts that a
tool doesn't tell aren't there.
"""

import datetime
import hashlib
import ipaddress
import json
import os
import pwd
import re
import shutil
import ssl
import sys
import xml.etree.ElementTree as xml
from pathlib import Path

import peers
from house import WORK, Failed, run

# Facts, and how a value stands in the table.
PORTS, BANNER, STARTTLS, CLEAR, RELAY = "open ports", "banner", "STARTTLS offered", "logins in clear", "open relay"
VRFY, EXPN = "VRFY tells who is there", "EXPN tells who is there"
VERSIONS, SUITES, WEAK, CURVES = "TLS versions", "suites", "weak suites", "curves"
SHA256, NAMES, UNTIL, SELF, BITS = "certificate", "names", "valid until", "self-signed", "key bits"
MX, SPF, DMARC, STS, RPT, TLSA, PTR, CAA, SRV = "MX", "SPF", "DMARC", "MTA-STS", "TLS-RPT", "TLSA", "PTR", "CAA", "SRV"
SPF_GOOD, DMARC_GOOD, STS_GOOD, RPT_GOOD, SIGNED = "SPF is good", "DMARC is good", "MTA-STS is good", "TLS-RPT is good", "zone is signed"
NAMES_FACTS = (MX, SPF, DMARC, STS, RPT, TLSA, PTR, CAA, SRV, SPF_GOOD, DMARC_GOOD, STS_GOOD, RPT_GOOD, SIGNED)
FACTS = (*NAMES_FACTS, PORTS, BANNER, STARTTLS, CLEAR, RELAY, VRFY, EXPN, VERSIONS, SUITES, WEAK, CURVES, SHA256, NAMES, UNTIL, SELF, BITS)

MAIL_PORTS = (25, 80, 110, 143, 443, 465, 587, 993, 995, 4190)
# What is said before TLS begins there.
STARTS = {25: "smtp", 587: "smtp", 110: "pop3", 143: "imap", 4190: "sieve"}


def weak(suites):
    """Which kinds of weakness there are in suites, by their names at IANA."""
    kinds = {"anon": "anonymous", "_NULL_": "no encryption", "EXPORT": "export", "RC4": "RC4", "3DES": "3DES", "WITH_DES_": "DES", "_RC2_": "RC2"}
    return frozenset(kind for part, kind in kinds.items() if any(part in suite for suite in suites))


def taken(versions, suites):
    return {VERSIONS: frozenset(versions), SUITES: frozenset(suites), WEAK: weak(suites)}


def greeting(text):
    """A banner without the time that it tells."""
    return re.sub(r"\b\d\d:\d\d:\d\d\b", "hh:mm:ss", text)


def plain(kind, name):
    """A name of a certificate as it is usually written."""
    return str(ipaddress.ip_address(name)) if kind == "IP Address" else name


def digest(pem):
    return hashlib.sha256(ssl.PEM_cert_to_DER_cert(pem)).hexdigest()


# ---- nmap ---------------------------------------------------------------------------------------------------


class Nmap:
    """nmap with its scripts for mail and TLS. `known` is the address of a user that the host has."""

    name = "nmap"

    def look(self, host, ports, known, at=None):
        """At its IPv4 address unless told."""
        at = at or host.four
        names = WORK / f"{host.name}-names"
        user, domain = known.split("@")
        names.write_text(f"{user}\n")
        scripts = "banner,smtp-commands,smtp-open-relay,smtp-enum-users,ssl-enum-ciphers,ssl-cert,imap-capabilities,pop3-capabilities"
        asked = [f"userdb={names}", f"smtp-enum-users.domain={domain}", "smtp-open-relay.domain=third.example"]
        facts = self.read(self.ask(at, host, ports, scripts, [*asked, "smtp-enum-users.methods={VRFY}"]), VRFY)
        if 25 in facts[0, PORTS]:
            facts |= self.read(self.ask(at, host, [25], "smtp-enum-users", [*asked, "smtp-enum-users.methods={EXPN}"]), EXPN, [25])
        return facts

    def ask(self, at, host, ports, scripts, asked):
        family = ["-6"] if ":" in at else []
        text = run(
            "nmap", *family, "-v", "-n", "-Pn", "-sT", "-p", ",".join(map(str, ports)), "--script", scripts, "--script-args", ",".join(asked), "-oX", "-",
            at,
        ).text  # fmt: skip
        (WORK / f"{host.name}-nmap-{len(family)}-{len(ports)}.xml").write_text(text)
        return xml.fromstring(text[text.index("<?xml") :])

    def read(self, tree, enumerated, only=None):
        facts, opened = {}, []
        for port in tree.iter("port"):
            number = int(port.get("portid"))
            if port.find("state").get("state") != "open":
                continue
            opened.append(number)
            for script in port.iter("script"):
                said = getattr(self, script.get("id").replace("-", "_"))(script, number, enumerated)
                facts |= {(number, fact): value for fact, value in said.items()}
        if only is None:
            facts[0, PORTS] = tuple(opened)
        return facts

    def banner(self, script, port, _):
        # It breaks lines to fit a terminal, and has all that came in a while.
        return {BANNER: greeting(script.get("output").replace("\n", "").split("\\x0D\\x0A")[0])}

    def smtp_commands(self, script, port, _):
        words = script.get("output").split("\n")[0].upper().split(", ")
        logins = frozenset(one for word in words if word.startswith("AUTH ") for one in word.split()[1:])
        return {STARTTLS: "STARTTLS" in words, CLEAR: logins} if port in STARTS else {}

    def smtp_open_relay(self, script, port, _):
        said = script.get("output")
        if "is an open relay" in said:
            return {RELAY: True}
        return {RELAY: False} if "all tests failed" in said or "authentication needed" in said else {}

    def smtp_enum_users(self, script, port, enumerated):
        said = script.get("output")
        if port != 25:
            return {}
        return {enumerated: False} if "Couldn't find any" in said or "unhandled status" in said else {enumerated: True}

    def imap_capabilities(self, script, port, _):
        # The tag of the server's answer sticks to a word.
        words = [re.sub(r"A\d{4}$", "", word) for word in re.split(r"[^A-Z0-9=+\-]+", script.get("output").upper())]
        return self.clear(port, words, "STARTTLS", None if "LOGINDISABLED" in script.get("output").upper() else "LOGIN", "AUTH=")

    def pop3_capabilities(self, script, port, _):
        said = script.get("output").upper()
        facts = self.clear(port, said.split(), "STLS", "USER" if re.search(r"\bUSER\b", said) else None, "")
        methods = re.search(r"\bSASL\(([^)]*)\)", said)
        if CLEAR in facts and methods:
            facts[CLEAR] |= frozenset(methods[1].split())
        return facts

    def clear(self, port, words, starts, login, prefix):
        if port not in STARTS:
            return {}
        found = {word.removeprefix(prefix) for word in words if prefix and prefix in word and word.startswith(prefix)}
        return {STARTTLS: any(word.startswith(starts) for word in words), CLEAR: frozenset(found | ({login} if login else set()))}

    def ssl_enum_ciphers(self, script, port, _):
        versions, suites = [], []
        for table in script.findall("table"):
            versions.append(table.get("key").replace("TLSv", "TLS ").replace("SSLv", "SSL "))
            # Those of TLS 1.3 have names of its own.
            suites += [one.text.replace("TLS_AKE_WITH_", "TLS_") for one in table.iter("elem") if one.get("key") == "name"]
        return taken(versions, suites)

    def ssl_cert(self, script, port, _):
        within = lambda *keys: script.find("/".join(f"*[@key='{key}']" for key in keys))
        sides = [{one.get("key"): one.text for one in within(side) or ()} for side in ("subject", "issuer")]
        names = {sides[0].get("commonName")}
        extensions = within("extensions")
        for table in [] if extensions is None else extensions:
            parts = {one.get("key"): one.text for one in table}
            if parts["name"] == "X509v3 Subject Alternative Name":
                names |= {plain(*one.strip().partition(":")[::2]) for one in parts["value"].split(",")}
        return {
            NAMES: frozenset(names - {None}), UNTIL: within("validity", "notAfter").text[:10], SELF: sides[0] == sides[1],
            BITS: int(within("pubkey", "bits").text), SHA256: digest(within("pem").text.strip()),
        }  # fmt: skip


# ---- sslyze -------------------------------------------------------------------------------------------------


class Sslyze:
    """sslyze, which comes by pip and is kept beside other people's programs."""

    name = "sslyze"

    def __init__(self):
        self.place = by_pip("sslyze")

    def look(self, host, ports, known):
        out = WORK / f"{host.name}-sslyze.json"
        run(
            sys.executable, "-m", "sslyze", "--mozilla_config=disable", "--starttls=auto", "--certinfo", "--sslv2", "--sslv3", "--tlsv1", "--tlsv1_1",
            "--tlsv1_2", "--tlsv1_3", "--elliptic_curves", "--quiet", "--slow_connection", f"--json_out={out}",
            *[f"{host.name}:{port}{{{host.four}}}" for port in ports],
            env={"PYTHONPATH": str(self.place)}, ok=(0, 1),
        )  # fmt: skip
        facts = {}
        for result in json.loads(out.read_text())["server_scan_results"]:
            port = result["server_location"]["port"]
            facts |= {(port, fact): value for fact, value in self.read(result).items()}
        return facts

    def read(self, result):
        if result["connectivity_status"] != "COMPLETED":
            return {}
        scan, versions, suites = result["scan_result"], [], []
        if any(one["status"] == "ERROR" for one in scan.values()):
            broken = {name: one["error_trace"] for name, one in scan.items() if one["status"] == "ERROR"}
            raise Failed(f"sslyze can't tell of {result['server_location']}: {broken}"[:2000])
        for name in ("ssl_2_0", "ssl_3_0", "tls_1_0", "tls_1_1", "tls_1_2", "tls_1_3"):
            accepted = scan[f"{name}_cipher_suites"]["result"]["accepted_cipher_suites"]
            if accepted:
                versions.append(name.replace("_", " ", 1).replace("_", ".").upper())
                suites += [one["cipher_suite"]["name"] for one in accepted]
        facts = taken(versions, suites)
        curves = scan["elliptic_curves"]["result"] or {}
        if curves.get("supported_curves"):
            facts[CURVES] = frozenset({"prime256v1": "secp256r1"}.get(one["name"], one["name"].lower()) for one in curves["supported_curves"])
        if scan["certificate_info"]["status"] == "COMPLETED":
            leaf = scan["certificate_info"]["result"]["certificate_deployments"][0]["received_certificate_chain"][0]
            common = [one["value"] for one in leaf["subject"]["attributes"] if one["oid"]["name"] == "commonName"]
            facts |= {
                NAMES: frozenset([*common, *(one for kind in ("dns_names", "ip_addresses") for one in leaf["subject_alternative_name"][kind])]), UNTIL: leaf["not_valid_after"][:10],
                SELF: leaf["subject"]["rfc4514_string"] == leaf["issuer"]["rfc4514_string"], BITS: leaf["public_key"]["key_size"],
                SHA256: digest(leaf["as_pem"].strip()),
            }  # fmt: skip
        return facts


def by_pip(name):
    """Where a program of Python is. Wants the network, once; what pip gets has to have the hashes that are written down beside this file."""

    def make(place):
        fetched = place.with_suffix(".new")
        shutil.rmtree(fetched, ignore_errors=True)
        words = ["install", "--quiet", "--no-deps", "--require-hashes", "--target", str(fetched), "-r", str(Path(__file__).with_name(f"{name}.txt"))]
        # pip's settings are those of the user whose tests these are.
        peers.command(sys.executable, "-m", "pip", *words, env={**os.environ, "HOME": pwd.getpwuid(os.getuid()).pw_dir})
        fetched.rename(place)

    return peers.kept(name, make)


# ---- testssl.sh ---------------------------------------------------------------------------------------------


class Testssl:
    """testssl.sh: protocols, kinds of suites, certificate. It needs a while, so it isn't asked about every port."""

    name = "testssl.sh"

    def __init__(self):
        self.place = peers.fetch("testssl.sh")
        # It wants a program that asks the DNS, also where it isn't to ask.
        self.around = with_libraries(self.place) | {"TERM": "dumb", "TESTSSL_INSTALL_DIR": str(self.place / "etc/testssl")}

    def look(self, host, ports, known):
        facts, usr, around = {}, self.place / "usr", self.around
        for port in ports:
            out = WORK / f"{host.name}-{port}-testssl.json"
            start = ["--starttls", STARTS[port]] if port in STARTS else []
            words = ["-p", "-s", "-S", *start, "--nodns", "none", "--warnings", "off", "--color", "0", "--jsonfile", out, "--ip", host.four]
            done = run("bash", usr / "bin/testssl", *words, f"{host.name}:{port}", env=around, ok=None)
            if not out.exists():
                raise Failed(f"testssl.sh says nothing of {host.name}:{port}\n{done.text[-3000:]}")
            said = {one["id"].split(" ")[0]: one["finding"] for one in json.loads(out.read_text())}
            facts |= {(port, fact): value for fact, value in self.read(said).items()}
        return facts

    def read(self, said):
        names = {"SSLv2": "SSL 2.0", "SSLv3": "SSL 3.0", "TLS1": "TLS 1.0", "TLS1_1": "TLS 1.1", "TLS1_2": "TLS 1.2", "TLS1_3": "TLS 1.3"}
        kinds = {"NULL": "no encryption", "aNULL": "anonymous", "EXPORT": "export", "3DES_IDEA": "3DES"}
        offered = lambda key: said[key].startswith("offered")
        alternative = [name for name in said["cert_subjectAltName"].split() if "." in name]
        until = datetime.datetime.strptime(said["cert_notAfter"], "%Y-%m-%d %H:%M")
        return {
            VERSIONS: frozenset(name for key, name in names.items() if offered(key)),
            WEAK: frozenset(kind for key, kind in kinds.items() if offered(f"cipherlist_{key}")),
            NAMES: frozenset([said["cert_commonName"], *alternative]), UNTIL: until.strftime("%Y-%m-%d"),
            SELF: "self signed" in said["cert_chain_of_trust"], BITS: int(re.search(r"(\d+) bits", said["cert_keySize"])[1]),
            SHA256: said["cert_fingerprintSHA256"].lower(),
        }  # fmt: skip


# ---- openssl ------------------------------------------------------------------------------------------------


class Openssl:
    """openssl s_client: versions from TLS 1.0 on, and the certificate. It is the one that begins TLS in ManageSieve."""

    name = "openssl"

    def look(self, host, ports, known):
        facts = {}
        for port in ports:
            said = {f"TLS 1.{minor}": self.begin(host, port, flag) for minor, flag in enumerate(("-tls1", "-tls1_1", "-tls1_2", "-tls1_3"))}
            taken = {version: text for version, text in said.items() if text}
            facts[port, VERSIONS] = frozenset(taken)
            for text in list(taken.values())[-1:]:
                facts[port, SHA256] = digest(re.search(r"-----BEGIN CERTIFICATE-----.*?-----END CERTIFICATE-----", text, re.S)[0])
        return facts

    def begin(self, host, port, version):
        """What is told of a connection of one version; nothing if there is none."""
        weak = [] if version == "-tls1_3" else ["-cipher", "ALL:@SECLEVEL=0"]
        words = ["s_client", "-connect", f"{host.four}:{port}", "-starttls", STARTS[port], version, *weak]
        done = run("openssl", *words, ok=None)
        return done.text if done.returncode == 0 and "BEGIN CERTIFICATE" in done.text else ""


# ---- dig and checkdmarc -------------------------------------------------------------------------------------


def with_libraries(place):
    """What surrounds programs of a package that is unpacked and not installed."""
    usr = place / "usr"
    return {"PATH": f"{usr / 'bin'}:{os.environ['PATH']}", "LD_LIBRARY_PATH": ":".join(map(str, usr.glob("lib/*-linux-gnu")))}


def host_names(words):
    return frozenset(word.rstrip(".").lower() for word in words)


def beginning(texts, word):
    """The first text that begins so; "none" if there is none."""
    return next((text for text in texts if text.lower().startswith(word.lower())), "none")


class Dig:
    """dig, which comes with testssl.sh: records as they stand there."""

    name = "dig"

    def __init__(self, place):
        self.around = with_libraries(place)

    def look(self, host):
        ask = lambda name, kind: run("dig", "@127.0.0.1", "+short", "+time=5", name, kind, env=self.around).text.splitlines()
        texts = lambda name: ["".join(re.findall(r'"((?:[^"\\\\]|\\\\.)*)"', line)) for line in ask(name, "TXT")]
        name = host.name
        services = [(service, line.split()) for service in SERVICES for line in ask(f"_{service}._tcp.{name}", "SRV")]
        return {(0, fact): value for fact, value in {
            MX: host_names(ask(name, "MX")),
            SPF: beginning(texts(name), "v=spf1"), DMARC: beginning(texts(f"_dmarc.{name}"), "v=DMARC1"),
            STS: beginning(texts(f"_mta-sts.{name}"), "v=STSv1"), RPT: beginning(texts(f"_smtp._tls.{name}"), "v=TLSRPTv1"),
            TLSA: frozenset("".join(line.split()).lower() for line in ask(f"_25._tcp.{name}", "TLSA")),
            PTR: host_names(run("dig", "@127.0.0.1", "+short", "-x", host.four, env=self.around).text.splitlines()),
            CAA: frozenset(re.sub(r'^0 issue "([^";]*)"$', r"\1", line) for line in ask(name, "CAA")),
            SRV: frozenset(f"{service} {target.rstrip('.')}:{port}" for service, (_, _, port, target) in services if target != "."),
        }.items()}  # fmt: skip


# Services of mail programs; in pairs: with TLS from the first byte, and without.
SERVICES = {"imaps": "IMAP", "imap": "IMAP", "pop3s": "POP3", "pop3": "POP3", "submissions": "submission", "submission": "submission"}


class Checkdmarc:
    """checkdmarc, which comes by pip: what is good of SPF, DMARC, MTA-STS and TLS-RPT."""

    name = "checkdmarc"

    def __init__(self):
        self.place = by_pip("checkdmarc")

    def look(self, host):
        out = WORK / f"{host.name}-checkdmarc.json"
        words = [host.name, "-n", "127.0.0.1", "-o", out]
        text = run(sys.executable, "-m", "checkdmarc._cli", *words, env={"PYTHONPATH": str(self.place)}).text
        if not out.exists():
            raise Failed(f"checkdmarc says nothing of {host.name}: {text}"[:2000])
        said = json.loads(out.read_text())
        spf, dmarc = said["spf"], said["dmarc"]
        tag = lambda name: dmarc.get("tags", {}).get(name, {}).get("value")
        ends = spf.get("parsed", {}).get("all")
        facts = {
            MX: frozenset(f"{one['preference']} {one['hostname']}" for one in said["mx"]["hosts"]),
            SPF_GOOD: spf["valid"] and ends in ("fail", "softfail") and not any("ptr" in warning for warning in spf["warnings"]),
            DMARC_GOOD: dmarc["valid"] and tag("p") in ("quarantine", "reject") and bool(tag("rua")) and tag("t") != "y",
            STS_GOOD: said["mta_sts"]["valid"], RPT_GOOD: said["smtp_tls_reporting"]["valid"], SIGNED: said["dnssec"],
        }  # fmt: skip
        # Two records are none to it.
        facts |= {fact: one["record"] for fact, one in ((SPF, spf), (DMARC, dmarc)) if one["record"]}
        return {(0, fact): value for fact, value in facts.items()}


def our_names(look, host):
    """The same facts of what `mailward probe --json` says of names."""
    names, verdicts = look["names"], {one["name"]: one["verdict"] for one in look["findings"]}
    told = next((line for line in names["programs"] if line.startswith("SRV: ")), "")
    services = set()
    for service, begins in SERVICES.items():
        how = "TLS from the first byte" if service.endswith("s") else "STARTTLS"
        services |= {f"{service} {host}:{port}" for host, port in re.findall(rf"{begins} at (\S+):(\d+) with {how}", told)}
    return {(0, fact): value for fact, value in {
        MX: host_names(names["mx"]), SPF: names["spf"] or "none", DMARC: names["dmarc"] or "none", STS: names["mta_sts"] or "none",
        RPT: names["tls_rpt"] or "none", TLSA: frozenset(one.replace(" ", "") for one in names["tlsa"]),
        PTR: frozenset(names["reverse"].get(host.four, [])), CAA: frozenset(one.partition(": ")[2] for one in names["caa"]),
        SRV: frozenset(services), SPF_GOOD: verdicts["names.spf"] == "pass", DMARC_GOOD: verdicts["names.dmarc"] == "pass",
        STS_GOOD: verdicts["names.mta-sts"] == "pass", RPT_GOOD: verdicts["names.tls-rpt"] == "pass", SIGNED: verdicts["names.signed"] == "pass",
    }.items()}  # fmt: skip


# ---- ours ---------------------------------------------------------------------------------------------------


def ours(look, at):
    """The same facts of what `mailward probe --json` says, at one address of the host."""
    facts = {(0, PORTS): tuple(one["port"] for one in look["ports"] if one["address"] == at and one["state"] == "open" and one["role"])}
    for door in look["doors"]:
        if door["address"] != at:
            continue
        said = {BANNER: door["banner"] and greeting(door["banner"])}
        if door["port"] in STARTS:
            said |= {STARTTLS: door["starttls"], CLEAR: None if door["auth_clear"] is None else frozenset(door["auth_clear"])}
        if door["relay"]:
            said[RELAY] = door["relay"]["through"] > 0
        if door["port"] == 25:
            said |= {fact: door[reply] and door[reply][:3] in ("250", "251") for fact, reply in ((VRFY, "vrfy"), (EXPN, "expn"))}
        if door["tls"]:
            versions = door["tls"]["versions"]
            said |= taken([one["version"] for one in versions], [suite for one in versions for suite in one["suites"]])
            said[CURVES] = frozenset(group for one in versions for group in one["groups"] if not group.startswith("ffdhe"))
        if door["certificate"]:
            shown = door["certificate"]
            said |= {
                SHA256: shown["sha256"].replace(":", ""), NAMES: frozenset(shown["names"]), UNTIL: shown["until"][:10], SELF: shown["self_signed"],
                BITS: shown["key_bits"],
            }  # fmt: skip
        facts |= {(door["port"], fact): value for fact, value in said.items() if value is not None}
    return facts
