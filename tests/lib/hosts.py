"""Hosts that take mail in ways of their own, each on a loopback address of its own, in threads of the story."""

import socket
import ssl
import threading

OFFERS = ("PIPELINING", "8BITMIME", "SIZE 50000000", "ENHANCEDSTATUSCODES")
# What a host does in place of an answer.
STALL, DROP = object(), object()
USUAL = {
    "greeting": "220 host",
    "ehlo": None,
    "helo": "250 host",
    "starttls": "220 go on",
    "mail": "250 2.1.0 ok",
    "rcpt": "250 2.1.5 ok",
    "data": "354 go on",
    "end": "250 2.0.0 taken",
    "after": None,
    "rset": "250 2.0.0 ok",
    "noop": "250 2.0.0 ok",
    "quit": "221 2.0.0 bye",
}


class Gone(Exception):
    """The other side has closed, or is to be closed."""


class Talk:
    """One connection to a host: `plan` tells what it says at each step, USUAL what it says at the others. A step's
    plan is an answer (text, or bytes as they are), STALL, DROP, a list of these (the first one for the first time, …,
    the last one from then on), or a function of the talk that gives one of them, or None if it did all there is to do."""

    def __init__(self, host, wire, number):
        self.host, self.wire, self.number = host, wire, number
        self.buffer, self.heard, self.clear, self.tls = b"", b"", b"", False
        self.sender, self.recipients, self.times, self.commands = None, [], {}, []
        # Commands behind which others were there already.
        self.ahead = 0

    # ---- what it can do ------------------------------------------------------------------------------------

    def say(self, what):
        try:
            self.wire.sendall(what if isinstance(what, bytes) else what.encode() + b"\r\n")
        except (OSError, ssl.SSLError):
            raise Gone from None

    def more(self):
        """Reads some; the other side's end is the talk's."""
        try:
            data = self.wire.recv(65536)
        except (OSError, ssl.SSLError):
            raise Gone from None
        if not data:
            raise Gone
        self.heard += data
        if not self.tls:
            self.clear += data
        self.buffer += data

    def line(self):
        """The next line with its end."""
        while b"\n" not in self.buffer:
            self.more()
        line, self.buffer = self.buffer.split(b"\n", 1)
        return line + b"\n"

    def stall(self):
        """Says nothing until the other side has had enough."""
        while True:
            self.more()

    def drop(self):
        raise Gone

    # ---- its course ----------------------------------------------------------------------------------------

    def step(self, name):
        """Does what is planned for a step; gives the answer's first digit, or None."""
        count = self.times[name] = self.times.get(name, 0) + 1
        do = self.host.plan.get(name, USUAL[name])
        if isinstance(do, list):
            do = do[min(count, len(do)) - 1]
        if callable(do):
            do = do(self)
        if do is STALL:
            self.stall()
        if do is DROP:
            self.drop()
        if do is None:
            return None
        self.say(do)
        return (do if isinstance(do, str) else do.decode("latin-1"))[:1]

    def offers(self):
        offered = [*(self.host.tls_offers if self.tls else self.host.offers)]
        if self.host.context and not self.tls:
            offered.append("STARTTLS")
        lines = ["host", *offered]
        return "\r\n".join(f"250{' ' if at == len(lines) - 1 else '-'}{line}" for at, line in enumerate(lines))

    def run(self):
        self.step("greeting")
        while True:
            line = self.line()
            text = line.decode("utf-8", "replace").rstrip("\r\n")
            self.commands.append(text)
            self.ahead += bool(self.buffer) and not text.startswith("BDAT")
            verb = text[:4].lower()
            if text.upper() == "STARTTLS":
                if self.step("starttls") == "2":
                    self.start_tls()
            elif verb == "ehlo":
                if self.step("ehlo") is None and "ehlo" not in self.host.plan:
                    self.say(self.offers())
            elif verb == "mail":
                if self.step("mail") == "2":
                    self.sender, self.recipients = path(text), []
            elif verb == "rcpt":
                if self.step("rcpt") == "2":
                    self.recipients.append(path(text))
            elif verb == "data":
                if not self.recipients:
                    self.say("503 5.5.1 nobody takes it")
                elif self.step("data") == "3":
                    self.message()
            elif verb == "bdat":
                self.chunk(text)
            elif verb == "quit":
                self.step("quit")
                return
            elif verb in ("helo", "rset", "noop"):
                self.step(verb)
            else:
                self.say("500 5.5.2 what?")

    def message(self):
        """Data up to its end, kept as it came."""
        while not self.buffer.startswith(b".\r\n") and b"\r\n.\r\n" not in self.buffer:
            self.more()
        if self.buffer.startswith(b".\r\n"):
            raw, self.buffer = b"", self.buffer[3:]
        else:
            at = self.buffer.index(b"\r\n.\r\n")
            raw, self.buffer = self.buffer[: at + 2], self.buffer[at + 5 :]
        lines = raw.split(b"\r\n")
        self.took(raw, b"\r\n".join(line[1:] if line.startswith(b".") else line for line in lines))

    def chunk(self, text):
        words = text.split()
        while len(self.buffer) < int(words[1]):
            self.more()
        raw, self.buffer = self.buffer[: int(words[1])], self.buffer[int(words[1]) :]
        self.took(raw, raw)

    def took(self, raw, text):
        """All is there: it is taken if the answer says so."""
        taken = Taken(self.sender, list(self.recipients), raw, text, self.tls)
        self.host.heard_whole.append(taken)
        if self.step("end") == "2":
            self.host.taken.append(taken)
        self.step("after")

    def start_tls(self):
        if self.buffer or not self.host.context:
            raise Gone
        try:
            self.wire = self.host.context.wrap_socket(self.wire, server_side=True)
        except (OSError, ssl.SSLError):
            raise Gone from None
        self.tls = True


class Taken:
    """A message that came: `raw` as it was on the wire, `text` without what the wire adds."""

    def __init__(self, sender, recipients, raw, text, tls):
        self.sender, self.recipients, self.raw, self.text, self.tls = sender, recipients, raw, text, tls


class Host:
    """A host on `address` and `port`. `taken` are messages to whose end it said yes, `heard_whole` all that came whole."""

    def __init__(self, address, port, plan=None, offers=OFFERS, tls_offers=None, certificate=None, buffer=None, family=socket.AF_INET):
        self.plan, self.offers = dict(plan or {}), offers
        self.tls_offers = offers if tls_offers is None else tls_offers
        self.taken, self.heard_whole, self.talks, self.context = [], [], [], None
        if certificate:
            self.context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.context.load_cert_chain(certificate[0], certificate[1])
        self.listener = socket.socket(family)
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if buffer:
            self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
        self.listener.bind((address, port))
        self.listener.listen(64)
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        while True:
            try:
                wire, _ = self.listener.accept()
            except OSError:
                return
            talk = Talk(self, wire, len(self.talks) + 1)
            self.talks.append(talk)
            threading.Thread(target=self.talk, args=(talk,), daemon=True).start()

    def talk(self, talk):
        try:
            talk.run()
        except Gone:
            pass
        finally:
            try:
                talk.wire.close()
            except (OSError, ssl.SSLError):
                pass

    @property
    def heard(self):
        """Every byte that came, connections one after the other."""
        return b"".join(talk.heard for talk in self.talks)

    @property
    def clear(self):
        """What of it came in clear."""
        return b"".join(talk.clear for talk in self.talks)

    def close(self):
        self.listener.close()


def path(text):
    """What stands between the brackets of a command."""
    return text[text.find("<") + 1 : text.rfind(">")] if "<" in text else ""
