"""A DNS server that answers at once: what it answered before it says again without thinking, and not in a thread of its own."""

import socket
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "lib"))
from signed import A, MX, TXT, Signed, name_bytes  # noqa: E402

PTR = 12
HOST = "out.sender.example"


class Answers:
    """The names of who sends here: a host that is what it says, a domain with SPF, DKIM and DMARC."""

    def __init__(self, selector, record):
        self.zone = Signed(dnssec=False)
        for name, kind, value in (
            (HOST, A, "127.0.0.1"), (HOST, TXT, "v=spf1 ip4:127.0.0.1 -all"), ("1.0.0.127.in-addr.arpa", PTR, name_bytes(HOST)),
            ("sender.example", MX, (10, "mx.sender.example")), ("mx.sender.example", A, "203.0.113.7"), ("sender.example", A, "203.0.113.7"), ("sender.example", TXT, "v=spf1 ip4:127.0.0.1 -all"),
            ("_dmarc.sender.example", TXT, "v=DMARC1; p=reject"), (f"{selector}._domainkey.sender.example", TXT, record),
            ("www.sender.example", A, "203.0.113.7"), ("images.sender.example", A, "203.0.113.7"),
        ):  # fmt: skip
            self.zone.add(name, kind, value)
        self.known, self.asked = {}, 0
        self.wire = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.wire.bind(("127.0.0.1", 0))
        self.port = self.wire.getsockname()[1]
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()
        # Whoever asks by TCP finds it at the same port.
        self.tcp = socket.create_server(("127.0.0.1", self.port))
        threading.Thread(target=self.run_tcp, daemon=True).start()

    def answer(self, query):
        if query[2:] not in self.known:
            self.known[query[2:]] = self.zone.answer(query)[2:]
        return query[:2] + self.known[query[2:]]

    def run(self):
        while True:
            query, client = self.wire.recvfrom(4096)
            if self.over:
                return
            self.asked += 1
            self.wire.sendto(self.answer(query), client)

    def run_tcp(self):
        while True:
            wire, _ = self.tcp.accept()
            with wire, wire.makefile("rwb") as file:
                while len(head := file.read(2)) == 2:
                    answer = self.answer(file.read(int.from_bytes(head, "big")))
                    file.write(len(answer).to_bytes(2, "big") + answer)
                    file.flush()

    def close(self):
        self.over = True
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as wire:
            wire.sendto(b"end", ("127.0.0.1", self.port))
        self.thread.join(5)
        self.wire.close()
        self.zone.close()
