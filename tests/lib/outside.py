"""The world outside: a DNS server with a few names, and hosts that take mail, or don't.

Both run in threads of the story, on loopback, and end with it.
"""

import errno
import socket
import socketserver
import struct
import threading


class UdpServer(socketserver.ThreadingUDPServer):
    """Ends with the story."""

    daemon_threads = True


class TcpServer(socketserver.ThreadingTCPServer):
    """Ends with the story."""

    daemon_threads = allow_reuse_address = True
    # Where more than the usual 5 connect at once, the kernel answers with a SYN cookie, and may drop what comes back for it: the client
    # then waits for a greeting of a host that doesn't know of it, as long as RFC 5321 has it wait.
    request_queue_size = 1024

    def handle_error(self, *_):
        """Whoever is killed resets its connections: that is no fault here."""


class Zone:
    """A DNS server over UDP and TCP. Names are lower case, without a final dot; what isn't there doesn't exist."""

    def __init__(self, mx=(), addresses=()):
        self.mx = {domain: list(hosts) for domain, hosts in dict(mx).items()}
        self.addresses = dict(addresses)
        self.asked = []
        zone = self

        class Udp(socketserver.BaseRequestHandler):
            def handle(self):
                data, wire = self.request
                wire.sendto(zone.answer(data), self.client_address)

        class Tcp(socketserver.BaseRequestHandler):
            def handle(self):
                head = self.request.recv(2)
                if len(head) == 2:
                    answer = zone.answer(self.request.recv(struct.unpack("!H", head)[0]))
                    self.request.sendall(struct.pack("!H", len(answer)) + answer)

        self.udp, self.tcp = both(lambda at: UdpServer(at, Udp), lambda at: TcpServer(at, Tcp))
        self.port = self.udp.server_address[1]
        for server in (self.udp, self.tcp):
            threading.Thread(target=server.serve_forever, daemon=True).start()

    def answer(self, query):
        """RFC 1035, as much of it as a resolver of ours asks for."""
        number, flags = struct.unpack("!HH", query[:4])
        labels, at = [], 12
        while query[at]:
            labels.append(query[at + 1 : at + 1 + query[at]].decode("ascii").lower())
            at += 1 + query[at]
        kind = struct.unpack("!H", query[at + 1 : at + 3])[0]
        question = query[12 : at + 5]
        name = ".".join(labels)
        self.asked.append((name, kind))
        known = name in self.mx or name in self.addresses or any(n.endswith("." + name) for n in [*self.mx, *self.addresses])
        records = b""
        count = 0
        if kind == 15:
            for preference, host in self.mx.get(name, ()):
                target = b"".join(bytes([len(part)]) + part.encode() for part in host.split(".") if part) + b"\0"
                records += b"\xc0\x0c" + struct.pack("!HHIH", 15, 1, 60, 2 + len(target)) + struct.pack("!H", preference) + target
                count += 1
        elif kind == 1 and name in self.addresses:
            records += b"\xc0\x0c" + struct.pack("!HHIH", 1, 1, 60, 4) + socket.inet_aton(self.addresses[name])
            count += 1
        head = struct.pack("!HHHHHH", number, 0x8580 | (flags & 0x0110) | (0 if known else 3), 1, count, 0, 0)
        return head + question + records

    def close(self):
        for server in (self.udp, self.tcp):
            server.shutdown()
            server.server_close()


def both(udp, tcp, address="127.0.0.1", port=0):
    """What `udp` and `tcp` make of an address: servers at one port, if none is given at one that is free for both. A port that is free
    for one may be somebody's for the other."""
    while True:
        first = udp((address, port))
        try:
            return first, tcp(first.server_address[:2])
        except OSError as error:
            first.server_close()
            if port or error.errno != errno.EADDRINUSE:
                raise


class Sink:
    """A host that takes mail on a port; `plan(recipient)` gives the answer to a recipient, None takes it. Where
    `cuts(recipients)` says so, it takes a message and hangs up instead of answering. `cut` has those of `taken` for which
    it did so, `last` those after which it heard nothing more in their connection."""

    def __init__(self, port, plan=lambda recipient: None, address="127.0.0.1", cuts=lambda recipients: False):
        self.taken, self.cut, last = [], [], {}
        self.last = last.values()
        self.plan = plan
        self.connections = 0
        sink = self

        class Talk(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def handle(self):
                sink.connections += 1
                sender, recipients = None, []
                self.say("220 sink")
                for raw in self.rfile:
                    last.pop(self, None)
                    line = raw.decode("utf-8").rstrip("\r\n")
                    verb = line[:4].upper()
                    path = line[line.find("<") + 1 : line.rfind(">")] if "<" in line else ""
                    if verb in ("EHLO", "HELO"):
                        self.say("250-sink\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 10000000")
                    elif verb == "MAIL":
                        sender, recipients = path, []
                        self.say("250 ok")
                    elif verb == "RCPT":
                        answer = sink.plan(path)
                        if answer is None:
                            recipients.append(path)
                        self.say(answer or "250 ok")
                    elif verb == "DATA" and not recipients:
                        self.say("503 nobody to take it")
                    elif verb == "DATA":
                        self.say("354 go on")
                        lines = []
                        for part in self.rfile:
                            if part == b".\r\n":
                                break
                            lines.append(part[1:] if part.startswith(b".") else part)
                        else:
                            return
                        last[self] = (sender, recipients, b"".join(lines))
                        sink.taken.append(last[self])
                        if cuts(recipients):
                            sink.cut.append(last[self])
                            return
                        self.say("250 2.0.0 taken")
                    elif verb == "QUIT":
                        self.say("221 bye")
                        return
                    else:
                        self.say("250 ok")

        self.server = TcpServer((address, port), Talk)
        self.port = self.server.server_address[1]
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def texts(self, recipient):
        """What came for somebody."""
        return [text for _, recipients, text in self.taken if recipient in recipients]

    def close(self):
        self.server.shutdown()
        self.server.server_close()
