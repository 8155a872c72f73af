"""IMAP as it stands on the wire: responses taken apart, number sets, a connection that says exactly what it is told."""

import collections
import re

from house import *

STATUSES = (b"OK", b"NO", b"BAD", b"BYE", b"PREAUTH")
NUMBERED = (b"EXISTS", b"EXPUNGE", b"FETCH", b"RECENT")


class Literal(bytes):
    """Bytes that came, or go, as a literal."""


class Response:
    """One response: `tag` is `*`, `+` or a command's; `name` in capitals; `code` what stood in brackets."""

    def __init__(self, pieces):
        self.pieces = pieces
        self.number = self.code = None
        self.args = []
        tag, _, rest = pieces[0].partition(b" ")
        self.tag = tag.decode()
        if tag == b"+":
            self.name = "+"
            return
        head, _, tail = rest.partition(b" ")
        if head.upper() in STATUSES:
            self.name = head.upper().decode()
            if tail.startswith(b"["):
                inside, _, tail = tail[1:].partition(b"]")
                self.code = tokens([inside])
            self.text = tail.strip().decode("utf-8", "replace")
        elif head.isdigit():
            name, _, tail = tail.partition(b" ")
            check(name.upper() in NUMBERED, "a response that is known", pieces)
            self.number, self.name = int(head), name.upper().decode()
            self.args = tokens([tail, *pieces[1:]])
        else:
            self.name = head.upper().decode()
            self.args = tokens([tail, *pieces[1:]])

    def has_code(self, name):
        return bool(self.code) and self.code[0].upper() == name

    def items(self):
        """What a FETCH tells, by name."""
        (pairs,) = self.args
        check(len(pairs) % 2 == 0, "names and values", self)
        found = {name.upper(): value for name, value in zip(pairs[::2], pairs[1::2])}
        same(len(found) * 2, len(pairs), "items told, each once")
        return found

    def __repr__(self):
        shown = b"".join(self.pieces)
        return f"{self.tag} … {shown[:400]!r}"


def tokens(pieces):
    """Atoms as bytes, strings as bytes, lists as lists. An atom holds its brackets: `BODY[HEADER.FIELDS (A)]<0>`."""
    stack = [[]]
    for piece in pieces:
        if isinstance(piece, Literal):
            stack[-1].append(piece)
            continue
        at = 0
        while at < len(piece):
            byte = piece[at : at + 1]
            if byte == b" ":
                at += 1
            elif byte == b"(":
                stack.append([])
                at += 1
            elif byte == b")":
                check(len(stack) > 1, "parentheses open before they close", pieces)
                closed = stack.pop()
                stack[-1].append(closed)
                at += 1
            elif byte == b'"':
                string = re.compile(rb'"((?:[^"\\]|\\["\\])*)"').match(piece, at)
                check(string, "a quoted string ends", pieces)
                stack[-1].append(re.sub(rb"\\(.)", rb"\1", string.group(1)))
                at = string.end()
            elif literal := re.compile(rb"~?\{\d+\}$").match(piece, at):
                at = literal.end()  # Its bytes are the next piece.
            else:
                atom = re.compile(rb'(?:[^ ()"\[\]]|\[[^\]]*\])+').match(piece, at)
                check(atom, "an atom", piece[at:], pieces)
                stack[-1].append(atom.group())
                at = atom.end()
    check(len(stack) == 1, "parentheses close", pieces)
    return stack[0]


def read_set(text):
    """The numbers of `1:3,5`, in order."""
    numbers = []
    for part in text.split(b","):
        first, _, last = part.partition(b":")
        first, last = int(first), int(last or first)
        check(0 < first <= last < 1 << 32, "ranges rise", text)
        numbers.extend(range(first, last + 1))
    return numbers


def write_set(numbers):
    """`1:3,5` of numbers."""
    parts = []
    for number in sorted(set(numbers)):
        if parts and parts[-1][1] == number - 1:
            parts[-1][1] = number
        else:
            parts.append([number, number])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in parts)


class ImapWire:
    """A connection to the IMAP port, under TLS."""

    def __init__(self, demo, user="alice@example.test", password=PASSWORD, talk=None):
        self.wire = tls_raw(demo.ports["imaps"], demo.trust())
        self.tags = 0
        # What was said last, for whoever has to find out.
        self.talk = collections.deque(maxlen=120) if talk is None else talk
        (answer,) = self.ask(f'LOGIN {user} "{password}"', "LOGIN")[-1:]
        if not answer.has_code(b"CAPABILITY"):
            (answer,) = [r for r in self.ask("CAPABILITY") if r.name == "CAPABILITY"]
        self.capabilities = {c.decode().upper() for c in (answer.code or answer.args)}

    def tag(self):
        self.tags += 1
        return f"t{self.tags}"

    def send(self, *pieces):
        """Sends text as it is and `Literal` as a literal that doesn't wait (RFC 7888)."""
        out = b""
        for piece in pieces:
            piece = piece.encode() if isinstance(piece, str) else piece
            out += b"{%d+}\r\n%s" % (len(piece), piece) if isinstance(piece, Literal) else piece
        self.talk.append(f"C: {out[:200]!r}")
        self.wire.send(out)

    def response(self):
        """The next response; None once the server has closed."""
        pieces = []
        while True:
            line = self.wire.line()
            if line is None:
                return None
            pieces.append(line)
            literal = re.search(rb"\{(\d+)\}$", line)
            if not literal:
                self.talk.append(f"S: {b''.join(pieces)[:200]!r}")
                return Response(pieces)
            pieces.append(Literal(self.exactly(int(literal.group(1)))))

    def exactly(self, count):
        wire = self.wire
        pieces, have = [wire.buffer], len(wire.buffer)
        while have < count:
            more = wire.socket.recv(1 << 20)
            check(more, "the literal is whole", have, count)
            pieces.append(more)
            have += len(more)
        whole = b"".join(pieces)
        wire.buffer = whole[count:]
        return whole[:count]

    def ask(self, command, shown=None):
        """A command that must succeed; gives its responses, the tagged one last."""
        tag = self.tag()
        pieces = [command] if isinstance(command, (str, bytes)) else command
        self.send(f"{tag} ", *pieces, "\r\n")
        found = []
        while True:
            response = self.response()
            check(response is not None, f"an answer to {shown or command}", found)
            found.append(response)
            if response.tag == tag:
                check(response.name == "OK", f"OK to {shown or command}", found[-5:])
                return found

    def close(self):
        """Goes without a word, as a phone in a tunnel does."""
        self.wire.close()

    def logout(self):
        self.ask("LOGOUT")
        self.close()
