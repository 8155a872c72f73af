"""A DNS of the story's own that is signed: one zone, the root, that has every name; and certificates for its hosts.

It answers as a validating client needs it (RFC 4035): signatures, and NSEC records for what isn't there. Keys, signatures
and certificates are made by the `openssl` program.
"""

import base64
import hashlib
import ipaddress
import socketserver
import struct
import subprocess
import threading
import time

from outside import TcpServer, UdpServer, both

A, NS, CNAME, SOA, MX, TXT, AAAA, OPT, RRSIG, NSEC, DNSKEY, TLSA = 1, 2, 5, 6, 15, 16, 28, 41, 46, 47, 48, 52
TTL = 60


def openssl(*words, stdin=b""):
    return subprocess.run(["openssl", *map(str, words)], input=stdin, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout


def name_bytes(name):
    """A name as it is on the wire, lower case, not compressed."""
    labels = [label.encode() for label in name.lower().split(".") if label]
    return b"".join(bytes([len(label)]) + label for label in labels) + b"\0"


def order(name):
    """RFC 4034 §6.1: names sort by their labels, the last one first."""
    return [label.encode() for label in reversed(name.lower().split(".")) if label]


def parents(name):
    """The names above a name, the nearest first, down to the root, which is "" here."""
    while name:
        name = name.partition(".")[2]
        yield name


class Signed:
    """A DNS server on loopback. `records` are (name, kind, value): an address, (preference, host), a host, text or bytes.
    Names below one of `silent` aren't answered, below one of `failing` with SERVFAIL; records of `forged` names have
    signatures that don't hold. `dnssec` false: nothing is signed."""

    def __init__(self, records=(), dnssec=True, silent=(), failing=(), forged=(), address="127.0.0.1", port=0):
        self.dnssec, self.silent, self.failing, self.forged = dnssec, set(silent), set(failing), set(forged)
        self.sets, self.asked, self.lock, self.signatures = {}, [], threading.Lock(), {}
        self.add("", SOA, "ns.nic hostmaster.nic")
        self.add("", NS, "ns.nic")
        self.add("ns.nic", A, "127.0.0.1")
        if dnssec:
            self.pem = openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout")
            point = openssl("pkey", "-pubout", "-outform", "DER", stdin=self.pem)[-64:]
            self.key = struct.pack("!HBB", 257, 3, 13) + point
            self.add("", DNSKEY, self.key)
            # RFC 4034 appendix B.
            tag = sum(byte << 8 if at % 2 == 0 else byte for at, byte in enumerate(self.key))
            self.tag = (tag + (tag >> 16)) & 0xFFFF
        for name, kind, value in records:
            self.add(name, kind, value)
        zone = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, wire = self.request
                answer = zone.answer(data)
                if answer and len(answer) > 1_232:  # Truncated: it comes again over TCP.
                    answer = answer[:2] + struct.pack("!H", struct.unpack("!H", answer[2:4])[0] | 0x0200) + answer[4:6] + bytes(6) + zone.question(data)[2]
                if answer:
                    wire.sendto(answer, self.client_address)

        class Tcp(socketserver.StreamRequestHandler):
            def handle(self):
                while len(head := self.rfile.read(2)) == 2:
                    answer = zone.answer(self.rfile.read(struct.unpack("!H", head)[0]))
                    if answer:
                        self.wfile.write(struct.pack("!H", len(answer)) + answer)

        self.servers = []
        self.handlers = Udp, Tcp
        self.port = self.listen(address, port)

    def listen(self, address, port):
        """Answers there too; gives the port."""
        servers = both(lambda at: UdpServer(at, self.handlers[0]), lambda at: TcpServer(at, self.handlers[1]), address, port)
        for server in servers:
            self.servers.append(server)
            threading.Thread(target=server.serve_forever, daemon=True).start()
        return servers[0].server_address[1]

    def add(self, name, kind, value):
        """One more record, also while it runs."""
        if kind in (A, AAAA):
            data = ipaddress.ip_address(value).packed
        elif kind == MX:
            data = struct.pack("!H", value[0]) + name_bytes(value[1])
        elif kind in (NS, CNAME):
            data = name_bytes(value)
        elif kind == SOA:
            server, mailbox = value.split()
            data = name_bytes(server) + name_bytes(mailbox) + struct.pack("!IIIII", 1, 3600, 600, 86400, 1)
        elif kind == TXT:
            pieces = [value.encode()[at : at + 255] for at in range(0, len(value), 255)]
            data = b"".join(bytes([len(piece)]) + piece for piece in pieces)
        else:
            data = value
        with self.lock:
            self.sets.setdefault((name.lower(), kind), []).append(data)

    def anchor(self):
        """The line of a trust anchor file."""
        return f". 3600 IN DNSKEY 257 3 13 {base64.b64encode(self.key[4:]).decode()}\n"

    def warm(self):
        """Signs all there is, so that no answer has to wait for it."""
        owners = {owner for owner, _ in self.sets}
        for name, kind in list(self.sets):
            self.records(name, kind)
        if self.dnssec:
            for owner in owners:
                self.nsec(owners, owner)

    # ---- answers -------------------------------------------------------------------------------------------

    def question(self, query):
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii").lower())
            at += 1 + query[at]
        return ".".join(labels), struct.unpack("!H", query[at + 1 : at + 3])[0], query[12 : at + 5]

    def answer(self, query):
        number, flags, _, _, _, more = struct.unpack("!HHHHHH", query[:12])
        name, kind, question = self.question(query)
        self.asked.append((name, kind))
        around = {name, *parents(name)}
        if around & self.silent:
            return None
        answers, authority, code = [], [], 0
        if around & self.failing:
            code = 2
        else:
            code = self.resolve(name, kind, answers, authority)
        extra = b"\0" + struct.pack("!HHIH", OPT, 4096, 0x8000, 0) if more else b""
        head = struct.pack("!HHHHHH", number, 0x8180 | (flags & 0x0110), 1, len(answers), len(authority), 1 if more else 0)
        head = head[:3] + bytes([head[3] & 0xF0 | code]) + head[4:]
        return head + question + b"".join(answers) + b"".join(authority) + extra

    def resolve(self, name, kind, answers, authority):
        passed = set()
        while name not in passed:
            passed.add(name)
            if (name, kind) in self.sets:
                answers += self.records(name, kind)
                return 0
            if (name, CNAME) not in self.sets:
                break
            answers += self.records(name, CNAME)
            labels, data, at = [], self.sets[name, CNAME][0], 0
            while data[at]:
                labels.append(data[at + 1 : at + 1 + data[at]].decode())
                at += 1 + data[at]
            name = ".".join(labels)
        else:
            return 0
        owners = {owner for owner, _ in self.sets}
        exists = owners | {above for owner in owners for above in parents(owner)}
        authority += self.records("", SOA)
        denied = [name]
        if name not in exists:
            nearest = next(above for above in parents(name) if above in exists)
            denied.append(f"*.{nearest}" if nearest else "*")
        if self.dnssec:
            for owner in dict.fromkeys(self.cover(owners, one) for one in denied):
                authority += self.nsec(owners, owner)
        return 0 if name in exists else 3

    def cover(self, owners, name):
        """Who has the NSEC record that says what is between it and the next name."""
        return max((owner for owner in owners if order(owner) <= order(name)), key=order)

    def nsec(self, owners, owner):
        following = min((other for other in owners if order(other) > order(owner)), key=order, default="")
        kinds = sorted({kind for name, kind in self.sets if name == owner} | {RRSIG, NSEC})
        bits = bytearray(max(kinds) // 8 + 1)
        for kind in kinds:
            bits[kind // 8] |= 0x80 >> (kind % 8)
        return self.signed(owner, NSEC, [name_bytes(following) + bytes([0, len(bits)]) + bytes(bits)])

    def records(self, name, kind):
        return self.signed(name, kind, self.sets[name, kind])

    def signed(self, name, kind, values):
        """Records as they are on the wire, with their signature."""
        whole = [self.record(name, kind, data) for data in values]
        return whole + [self.record(name, RRSIG, self.signature(name, kind, values))] if self.dnssec else whole

    def record(self, name, kind, data):
        return name_bytes(name) + struct.pack("!HHIH", kind, 1, TTL, len(data)) + data

    def signature(self, name, kind, values):
        """RFC 4034 §3.1.8.1, with ECDSA P-256 (RFC 6605)."""
        signed = (name, kind, tuple(sorted(values)))
        with self.lock:
            if signed not in self.signatures:
                now = int(time.time())
                labels = len([label for label in name.split(".") if label and label != "*"])
                # Wide enough for a server whose time runs faster.
                head = struct.pack("!HBBIIIH", kind, 13, labels, TTL, now + 90 * 86_400, now - 86_400, self.tag) + b"\0"
                text = head + b"".join(self.record(name, kind, data) for data in sorted(values))
                # openssl reads the key from a descriptor and the text from standard input.
                der = sign(self.pem, text)
                size = der[3]
                r, s = der[4 : 4 + size], der[6 + size :]
                raw = b"".join(part.lstrip(b"\0").rjust(32, b"\0") for part in (r, s))
                if name in self.forged:
                    raw = bytes([raw[0] ^ 1]) + raw[1:]
                self.signatures[signed] = head + raw
            return self.signatures[signed]

    def close(self):
        for server in self.servers:
            server.shutdown()
            server.server_close()


def sign(pem, text):
    """ECDSA with SHA-256; the key never stands on a command line."""
    import os

    reader, writer = os.pipe()
    os.write(writer, pem)
    os.close(writer)
    try:
        return subprocess.run(
            ["openssl", "dgst", "-sha256", "-sign", f"/dev/fd/{reader}"],
            input=text,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=True,
            pass_fds=[reader],
        ).stdout
    finally:
        os.close(reader)


def certificate(directory, name, *also):
    """A self-signed certificate for these names: (certificate file, key file, DANE-EE record for its key)."""
    key, cert = directory / f"{name}.key", directory / f"{name}.pem"
    names = ",".join(f"DNS:{one}" for one in (name, *also))
    openssl(
        "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "30",
        "-subj", f"/CN={name}", "-addext", f"subjectAltName={names}", "-keyout", key, "-out", cert,
    )  # fmt: skip
    public = openssl("pkey", "-pubout", "-outform", "DER", stdin=key.read_bytes())
    return cert, key, bytes([3, 1, 1]) + hashlib.sha256(public).digest()
