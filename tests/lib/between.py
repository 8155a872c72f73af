"""Boxes between a server and who comes to it, as networks have had them: firewalls that mend mail, virus scanners in front, load balancers
that hold the keys. Each stands in a network of its own, listens there where the server listens here, and passes on what comes, from the
address it came from; or it has a fault, which is a session of another kind. Who knocks in that network meets the box.
"""

import re
import select
import socket
import ssl
import subprocess
import threading
from base64 import b64encode

from house import BINARY, PATIENCE, WORK
from namespaces import Network

HOST = "127.0.0.1"


class End:
    """One end of a session that goes through a box."""

    def __init__(self, wire):
        self.wire = wire

    def waits(self):
        """Whether something is there that the system doesn't know of."""
        return isinstance(self.wire, ssl.SSLSocket) and self.wire.pending() > 0

    def some(self):
        """What has come; nothing if it was for TLS alone; None at the end."""
        self.wire.settimeout(0)
        try:
            return self.wire.recv(65536) or None
        except (BlockingIOError, ssl.SSLWantReadError):
            return b""
        except (OSError, ssl.SSLError):
            return None

    def say(self, data):
        self.wire.settimeout(PATIENCE)
        self.wire.sendall(data)

    def reply(self):
        """A whole reply of SMTP."""
        self.wire.settimeout(PATIENCE)
        data = b""
        while not re.search(rb"(?m)^\d{3}(?: [^\n]*)?\r\n\Z", data):
            more = self.wire.recv(65536)
            if not more:
                raise OSError("the server hung up")
            data += more
        return data

    def serves_tls(self, context):
        self.wire.settimeout(PATIENCE)
        self.wire = context.wrap_socket(self.wire, server_side=True)

    def asks_for_tls(self, context):
        self.wire.settimeout(PATIENCE)
        self.wire = context.wrap_socket(self.wire, server_hostname="localhost")

    def close(self):
        self.wire.close()


def heard(client, server):
    """What either says, with who says it, until one hangs up."""
    while True:
        waiting = [end for end in (client, server) if end.waits()]
        if not waiting:
            poll = select.poll()
            ends = {end.wire.fileno(): end for end in (client, server)}
            for file in ends:
                poll.register(file, select.POLLIN)
            waiting = [ends[file] for file, _ in poll.poll(PATIENCE * 1000)]
        if not waiting:
            return
        for end in waiting:
            data = end.some()
            if data is None:
                return
            if data:
                yield end, data


class Box:
    """What stands before one port, and listens there, or at another one. `session(client, dial)` is one of those below; `dial(port)`
    connects to the server."""

    def __init__(self, network, port, session, listens=None):
        self.port, self.session = port, session
        self.listener = network.do(lambda: socket.create_server((HOST, port if listens is None else listens), backlog=600))
        threading.Thread(target=self.opens, daemon=True).start()

    def opens(self):
        while True:
            wire, source = self.listener.accept()
            threading.Thread(target=self.serves, args=(wire, source[0]), daemon=True).start()

    def serves(self, wire, source):
        client, ends = End(wire), []

        def dial(port=None):
            ends.append(End(socket.create_connection((HOST, port or self.port), PATIENCE, source_address=(source, 0))))
            return ends[-1]

        try:
            self.session(client, dial)
        except (OSError, ssl.SSLError):
            pass
        for end in (client, *ends):
            end.close()


class Between:
    """A network with a box before each of these ports, by the names of their doors."""

    def __init__(self, ports):
        self.network = Network()
        self.boxes = {door: Box(self.network, port, passes_on) for door, port in ports.items()}

    def have(self, faults):
        """These doors' boxes have these faults, all others none."""
        for door, box in self.boxes.items():
            box.session = faults.get(door, passes_on)

    def redirects(self, door, session):
        """Has a firewall lead who comes to a door to another port, where a box with a fault listens."""
        box = Box(self.network, self.boxes[door].port, session, listens=0)
        rules = (
            "add table ip between; add chain ip between out { type nat hook output priority -100; }; "
            f"add rule ip between out tcp dport {box.port} redirect to :{box.listener.getsockname()[1]}"
        )
        self.network.run("nft", rules)

    def inside(self, *words):
        return ["nsenter", f"--net={self.network.path}", *map(str, words)]

    def mailward(self, *words):
        """The command line, in that network: what it says on standard output and on standard error, and how it ended."""
        return subprocess.run(
            self.inside(BINARY, *words), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=WORK, timeout=PATIENCE * 3
        )  # fmt: skip


# ---- sessions ----------------------------------------------------------------------------------------------------


def passes_on(client, dial):
    """No fault."""
    server = dial()
    for end, data in heard(client, server):
        (server if end is client else client).say(data)


def changes(said=None, answered=None):
    """What the client says, and what the server answers, goes through these functions, until TLS begins. They are made anew for each
    session."""

    def session(client, dial):
        server = dial()
        ways = {client: said() if said else bytes, server: answered() if answered else bytes}
        is_clear = True
        for end, data in heard(client, server):
            # A record of TLS that is a handshake.
            is_clear = is_clear and data[:1] != b"\x16"
            (server if end is client else client).say(ways[end](data) if is_clear else data)

    return session


def ends_lines_well():
    """Makes every end of a line one as it should be: what firewalls and gateways did to be of help."""
    last = 0

    def change(data):
        nonlocal last
        out = bytearray()
        for byte in data:
            if byte == 10 and last != 13:
                out.append(13)
            out.append(byte)
            last = byte
        return bytes(out)

    return change


def once(pattern, instead):
    """Changes the first thing that is said."""

    def made():
        is_first = True

        def change(data):
            nonlocal is_first
            changed = re.sub(pattern, instead, data, count=1) if is_first else data
            is_first = False
            return changed

        return change

    return made


def always(pattern, instead):
    """Changes all that is like this."""
    return lambda: lambda data: re.sub(pattern, instead, data)


def answers(own):
    """Answers a command itself where `own` has an answer to it."""

    def session(client, dial):
        server = dial()
        for end, data in heard(client, server):
            answer = own(data) if end is client else None
            if answer is not None:
                client.say(answer)
            else:
                (server if end is client else client).say(data)

    return session


def begins_tls_itself(context):
    """Has the server's key, and answers STARTTLS in its place. What came behind it goes on to the server as if it had been said under TLS."""
    begins = re.compile(rb"(?i)(?:(\S+) )?(?:STARTTLS|STLS)\r\n\Z")

    def answer(line):
        tag = begins.match(line)[1]
        if tag:
            return tag + b" OK begin\r\n"
        return b"+OK begin\r\n" if line[:4].upper() == b"STLS" else b"220 2.0.0 begin\r\n"

    def session(client, dial):
        server, is_clear = dial(), True
        for end, data in heard(client, server):
            if end is server:
                client.say(data)
                continue
            for line in data.splitlines(keepends=True):
                if is_clear and begins.match(line):
                    client.say(answer(line))
                    client.serves_tls(context)
                    is_clear = False
                else:
                    server.say(line)

    return session


def opens_tls(context, trust):
    """TLS ends here, and the box begins its own with the server."""

    def session(client, dial):
        client.serves_tls(context)
        server = dial()
        server.asks_for_tls(trust)
        for end, data in heard(client, server):
            (server if end is client else client).say(data)

    return session


def takes_in_clear(port, trust):
    """Takes what is meant for the door with TLS at `port` without TLS, and has TLS with the server."""

    def session(client, dial):
        server = dial(port)
        server.asks_for_tls(trust)
        for end, data in heard(client, server):
            (server if end is client else client).say(data)

    return session


def logs_in_for_all(port, trust, user, password, is_ours):
    """Logs in at the door for users at `port`, whoever comes, and lets them write to recipients that `is_ours` knows."""

    def session(client, dial):
        server = dial(port)
        server.asks_for_tls(trust)
        greeting = server.reply()
        for command in (b"EHLO box.invalid\r\n", b"AUTH PLAIN " + b64encode(f"\0{user}\0{password}".encode()) + b"\r\n"):
            server.say(command)
            server.reply()
        client.say(greeting)
        for end, data in heard(client, server):
            if end is server:
                client.say(re.sub(rb"(?m)^250-AUTH [^\n]*\n", b"", data))
            elif data[:8].upper() == b"RCPT TO:" and not is_ours(data):
                client.say(b"550 5.7.1 not by this way\r\n")
            else:
                server.say(data)

    return session
