"""What hosts do, and what comes of it: the data of the story, and of the table in docs/sending.md.

A row of the table is one sort of host with one outcome; it has a case for each place where that can happen. A case has a
domain of its own, whose mail goes to a host of its own. Run by itself, this writes the table into the page.
"""

import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "tests" / "lib"))

from hosts import DROP, OFFERS, STALL  # noqa: E402
from signed import A, CNAME, MX  # noqa: E402

PAGE = ROOT / "docs" / "sending.md"
BEGIN, END = "<!-- Written by tests/scenarios/37-hostile-hosts/hosts_table.py; don't edit. -->\n", "<!-- End of the table. -->\n"

TAKEN, BOUNCES, WAITS, RESTS = "taken", "bounces", "waits", "rests"
SAID = {
    TAKEN: "delivered, once",
    BOUNCES: "bounces at once",
    WAITS: "this mail waits and comes again; other mail goes on",
    RESTS: "the lane rests; no recipient is blamed",
}
WORD = {"greeting": "the greeting", "ehlo": "EHLO", "mail": "MAIL FROM", "rcpt": "RCPT TO", "data": "DATA", "end": "the message"}
HELLO, MAIL = ("greeting", "ehlo"), ("mail", "rcpt", "data", "end")
SINGLY = tuple(offer for offer in OFFERS if offer != "PIPELINING")
CHUNKS = (*OFFERS, "CHUNKING")
NOISE = b"\x00\xff\x13HTTP/1.1 200 OK\r\n\r\n"


class Case:
    """`name` makes the domain. `plan`, `offers`, `tls_offers` as Host has them. `words` is a regular expression that fits
    what `mailward queue show` or the bounce says."""

    def __init__(
        self,
        name,
        plan=None,
        status=None,
        words="",
        offers=OFFERS,
        tls_offers=None,
        certificate=None,  # "good" or "other": it offers STARTTLS
        dane=None,  # a TLSA record for the "good" one; bytes: this record
        tls="",  # a regular expression for what the log says of TLS
        slow=False,  # a limit of minutes is to pass
        zone=(),  # records instead of MX and address of the host; HERE is its address
        failing=(),  # names that aren't answered, or wrongly: ("servfail" or "silent" or "forged", name)
        backup=False,  # there is another host, which takes mail
        away=False,  # nothing listens
        mail="plain",  # or "8bit", "large", "huge", "utf8"
        secret=False,  # nothing of the message may come in clear
        never=(),  # steps that must never come
        retried=False,  # it arrives after `mailward queue retry`
    ):
        assert not (retried and slow)
        self.name, self.plan, self.status, self.words, self.offers, self.tls_offers = name, plan or {}, status, words, offers, tls_offers
        self.certificate, self.dane, self.tls, self.slow, self.zone, self.failing = certificate, dane, tls, slow, zone, failing
        self.backup, self.away, self.mail, self.secret, self.never, self.retried = backup, away, mail, secret, never, retried


class Row:
    """`says` stands in the table if the outcome alone doesn't say enough."""

    def __init__(self, host, outcome, cases, says=None):
        # An empty expression fits whatever is said.
        assert outcome == TAKEN or all(case.words for case in cases)
        self.host, self.outcome, self.cases, self.says = host, outcome, cases, says or SAID[outcome]


def at(steps, kind, do, status, words, **more):
    """The same thing at each of some steps, with PIPELINING, without, and with CHUNKING, where that matters."""
    cases = []
    for step in steps:
        for offers, how in ((OFFERS, ""), (SINGLY, "-singly"), (CHUNKS, "-chunks")):
            if not (how and step in HELLO or how == "-chunks" and step not in ("rcpt", "end")):
                cases.append(Case(f"{kind}-{step}{how}", {step: do}, status, words.replace("STEP", WORD[step]), offers=offers, **more))
    return cases


def by_connection(*do):
    """One thing in the first connection, another in the next, …, the last from then on."""
    return lambda talk: do[min(talk.number, len(do)) - 1]


def then(first, do):
    """Says something, and goes on otherwise than agreed."""

    def act(talk):
        talk.say(first)
        return do(talk) if callable(do) else do

    return act


def endless(piece):
    def act(talk):
        while True:
            talk.say(piece)

    return act


def drips(talk):
    """A line of an answer now and then, never the last one."""
    while True:
        talk.say("250-wait")
        time.sleep(1)


def breaks_off(answer):
    """Has enough in the middle of a message."""

    def act(talk):
        talk.say("354 go on")
        while len(talk.buffer) < 30_000:
            talk.more()
        if answer:
            talk.say(answer)
        return DROP

    return act


def no_handshake(talk):
    talk.more()
    talk.say(NOISE)
    return DROP


def late(talk):
    """Answers when nobody listens any more."""
    time.sleep(25)
    talk.say("250 2.0.0 taken")


def never_reads(talk):
    talk.say("354 go on")
    time.sleep(3_600)


# A record that says what this house doesn't use (RFC 7672 §3.1.3).
PKIX = bytes([1, 1, 1]) + bytes(32)
NAME = "NAME.example"
HOST = f"mx.{NAME}"
HERE = "HERE"
# Between a host and its TLS: what it does, whether that takes long, and the words for it where TLS has to be.
NO_TLS = (
    ("refused", {"starttls": "454 4.7.0 not now"}, False, "refused to start TLS, which it has to: 454 4.7.0 not now"),
    ("bye", {"starttls": "421 4.3.2 closing"}, False, "at STARTTLS: the server ends the session: 421 4.3.2 closing"),
    ("dropped", {"starttls": DROP}, False, "at STARTTLS: (the server closed the connection|the connection broke)"),
    ("noise", {"starttls": NOISE}, False, "at STARTTLS: .*doesn't begin with a reply code"),
    ("broken", {"starttls": then("220 go on", no_handshake)}, False, "TLS handshake: .*corrupt"),
    ("cut", {"starttls": then("220 go on", DROP)}, False, "TLS handshake: .*(eof|reset|broken)"),
    ("silent", {"starttls": STALL}, True, "at STARTTLS: the server didn't answer in time"),
    ("hangs", {"starttls": then("220 go on", STALL)}, True, "TLS handshake: not finished within 30 seconds"),
)
WITH_TLS = {"certificate": "good"}

ROWS = [
    Row("takes it", TAKEN, [
        Case("takes", tls="none"),
        Case("takes-singly", offers=SINGLY, tls="none"),
        Case("takes-helo", {"ehlo": "502 5.5.1 what?"}, tls="none"),
        Case("takes-chunks", offers=CHUNKS, tls="none"),
        Case("takes-utf8", offers=(*OFFERS, "SMTPUTF8"), mail="utf8"),
    ]),
    Row("takes it and drops the connection, says more, or goes before QUIT", TAKEN, [
        Case("over-drop", {"after": DROP}),
        Case("over-bye", {"after": "421 4.3.2 closing"}),
        Case("over-more", {"after": "250 2.0.0 and another one"}),
        Case("over-quit", {"quit": DROP}),
        Case("over-silent", {"quit": STALL}),
    ]),
    Row("speaks with control characters and NUL in its words", TAKEN, [
        Case("nul", {"mail": b"250 2.1.0 o\0k \x1b[2J\r\n", "end": b"250 2.0.0 t\0aken \x1b]0;x\x07\r\n"}),
    ], says="delivered, once; shown as `?`"),
    Row("refuses for good (5xx) at MAIL, RCPT, DATA, in the data or after them", BOUNCES, [
        *at(MAIL, "never", "554 5.7.1 not you", "5.7.1", "not you"),
        Case("never-nul", {"rcpt": b"550 5.7.1 n\0ot you \x1b[2J\r\n"}, "5.7.1", r"not\? you|n\?ot you \?\[2J"),
        Case("never-amid", {"data": breaks_off("552 5.3.4 too much")}, "5.3.4", "too much", mail="large"),
    ]),
    Row("refuses for now (4xx) there; greylists", WAITS, [
        *at(MAIL, "later", "451 4.3.2 not now", "4.3.2", "not now"),
        Case("greylist", {"rcpt": by_connection("450 4.7.1 greylisted", "250 2.1.5 ok")}, "4.7.1", "greylisted", retried=True),
    ]),
    Row("isn't there; refuses by its greeting or at EHLO, ends the session (421), hangs up, or falls silent before MAIL", RESTS, [
        Case("away", None, "4.4.1", "no connection: ", away=True),
        Case("closed-greeting", {"greeting": "554 5.3.2 no mail here"}, "5.3.2", "no mail here"),
        Case("closed-ehlo", {"ehlo": "550 5.7.1 no mail from you"}, "5.7.1", "no mail from you"),
        *at(HELLO, "later", "451 4.3.2 not now", "4.3.2", "not now"),
        *at(HELLO, "bye", "421 4.3.2 closing", "4.3.2", "closing"),
        *at(HELLO, "drop", DROP, "4.4.2", "closed the connection|the connection broke"),
        *at(HELLO, "stall", STALL, "4.4.1", "at STEP: the server didn't answer in time", slow=True),
        *at(("ehlo",), "drips", drips, "4.4.1", "at EHLO: the server didn't answer in time", slow=True),
    ]),
    Row("ends the session (421), hangs up, or falls silent from MAIL on, and there is no other host", WAITS, [
        *at(MAIL, "bye", "421 4.3.2 closing", "4.3.2", "closing"),
        *at(MAIL[:3], "drop", DROP, "4.4.2", "closed the connection|the connection broke"),
        Case("drop-amid", {"data": breaks_off(None)}, "4.4.2", "closed the connection|the connection broke", mail="large"),
        *at(MAIL[:3], "stall", STALL, "4.4.1", "at STEP: the server didn't answer in time", slow=True),
        *at(("mail",), "drips", drips, "4.4.1", "at MAIL FROM: the server didn't answer in time", slow=True),
        Case("stall-amid", {"data": never_reads}, "4.4.1", "at the message: the server (didn't answer in time|is slower)", mail="huge", slow=True),
    ]),
    Row("hangs up, falls silent, answers too late (10 minutes) or speaks nonsense after the end of the message", WAITS, [
        *at(("end",), "drop", DROP, "4.4.2", "it may have the message"),
        *at(("end",), "stall", STALL, "4.4.1", "didn't answer in time; it may have the message", slow=True),
        Case("late", {"end": late}, "4.4.1", "didn't answer in time; it may have the message", slow=True),
        *at(("end",), "noise", NOISE, "4.5.0", "it may have the message"),
        *at(("end",), "place", "354 go on", "4.5.0", "it may have the message"),
        Case("unsure-backup", {"end": DROP}, "4.4.2", "it may have the message", backup=True),
        Case("unsure", {"end": by_connection(DROP, "250 2.0.0 taken")}, "4.4.2", "it may have the message", retried=True),
    ], says="this mail comes again: nobody can know whether it was taken"),
    Row("speaks nonsense before MAIL: no reply code, one out of range, lines with different codes, bare LF", RESTS, [
        *at(HELLO, "noise", NOISE, "4.5.0", "at STEP: .*doesn't begin with a reply code"),
        *at(HELLO, "range", "999 what", "4.5.0", "out of range"),
        *at(HELLO, "plus", "250+ok", "4.5.0", "doesn't begin with a reply code"),
        *at(HELLO, "differ", "250-a\r\n550 b", "4.5.0", "different codes"),
        *at(HELLO, "lf", b"250 ok\n", "4.5.0", "doesn't end with CRLF"),
        *at(HELLO, "place", "354 go on", "4.5.0", "can't be an answer"),
    ]),
    Row("the same from MAIL on", WAITS, [
        *at(MAIL[:3], "noise", NOISE, "4.5.0", "at STEP: .*doesn't begin with a reply code"),
        *at(("mail",), "range", "999 what", "4.5.0", "out of range"),
        *at(("rcpt",), "plus", "250+ok", "4.5.0", "doesn't begin with a reply code"),
        *at(("rcpt",), "differ", "250-a\r\n550 b", "4.5.0", "different codes"),
        *at(("data",), "lf", b"354 ok\n", "4.5.0", "doesn't end with CRLF"),
        *at(("mail", "rcpt"), "place", "354 go on", "4.5.0", "can't be an answer"),
        *at(("data",), "place", "250 ok", "4.5.0", "can't be an answer"),
    ]),
    Row("an endless line, an endless reply", RESTS, [
        *at(HELLO, "line", endless(b"250 " + b"x" * 9_000), "4.5.0", "a line is longer than 2048 bytes"),
        *at(HELLO, "lines", endless("250-x"), "4.5.0", "more than 100 lines"),
        *at(HELLO, "bytes", endless("250-" + "x" * 1_500), "4.5.0", "more than 65536 bytes"),
    ], says="the connection ends at 2,048 bytes, 100 lines, 64 KiB; then as nonsense"),
    Row("an endless line, an endless reply from MAIL on", WAITS, [
        *at(("mail", "data"), "line", endless(b"250 " + b"x" * 9_000), "4.5.0", "a line is longer than 2048 bytes"),
        *at(("rcpt",), "lines", endless("250-x"), "4.5.0", "more than 100 lines"),
        *at(("rcpt",), "bytes", endless("250-" + "x" * 1_500), "4.5.0", "more than 65536 bytes"),
    ], says="the same"),
    Row("answers before it is asked", RESTS, [
        Case("early-greeting", {"greeting": "220 host\r\n250 host\r\n250 ok\r\n250 ok\r\n354 go on\r\n250 2.0.0 taken"}, "4.5.0", "before its command", never=("data",)),
    ]),
    Row("answers to MAIL, RCPT or DATA more than it was asked", WAITS, [
        Case("early-mail", {"mail": "250 ok\r\n250 ok"}, "4.5.0", "can't be an answer|before its command"),
        Case("early-mail-singly", {"mail": "250 ok\r\n250 ok"}, "4.5.0", "before its command", offers=SINGLY),
        Case("early-data", {"data": "354 go on\r\n250 2.0.0 taken"}, "4.5.0", "before its command"),
        Case("early-data-singly", {"data": "354 go on\r\n250 2.0.0 taken"}, "4.5.0", "before its command", offers=SINGLY),
    ], says="this mail waits; what came too early is no receipt"),
    Row("says by SIZE that it takes less; lacks 8BITMIME, SMTPUTF8", BOUNCES, [
        Case("size", None, "5.3.4", "takes 1000 at most", offers=("PIPELINING", "SIZE 1000"), mail="large", never=("mail",)),
        Case("eight", None, "5.6.3", "8BITMIME", offers=("PIPELINING",), mail="8bit", never=("mail",)),
        Case("eight-tls", None, "5.6.3", "8BITMIME", tls_offers=("PIPELINING",), mail="8bit", never=("mail",), **WITH_TLS),
        Case("utf8", None, "5.6.9", "SMTPUTF8", mail="utf8", never=("mail",)),
    ], says="bounces before MAIL; what a host offered before TLS doesn't count after it"),
    Row("is away, or fails as above before it can have taken the message, and there is another host", TAKEN, [
        Case("next-away", away=True, backup=True),
        Case("next-554", {"greeting": "554 5.3.2 no"}, backup=True),
        Case("next-bye", {"ehlo": "421 4.3.2 closing"}, backup=True),
        Case("next-drop", {"greeting": DROP}, backup=True),
        Case("next-stall", {"greeting": STALL}, backup=True, slow=True),
        Case("next-noise", {"greeting": NOISE}, backup=True),
        Case("next-inject", {"starttls": b"220 go on\r\n250 2.0.0 ok\r\n"}, backup=True, secret=True, **WITH_TLS),
        *at(MAIL[:3], "next-bye", "421 4.3.2 closing", None, "", backup=True),
        *at(MAIL[:3], "next-drop", DROP, None, "", backup=True),
        *at(MAIL[:3], "next-noise", NOISE, None, "", backup=True),
        Case("next-stall-mail", {"mail": STALL}, backup=True, slow=True),
        # Too large for the system to have taken all of it off the server's hands.
        Case("next-amid", {"data": breaks_off(None)}, backup=True, mail="huge"),
    ], says="the next host takes it"),
    Row("**TLS**: offers it, with a certificate that nobody knows", TAKEN, [
        Case("tls", tls="TLSv1.3 .*, not proved", secret=True, **WITH_TLS),
    ], says="delivered over TLS"),
    Row("refuses STARTTLS, or TLS doesn't work", TAKEN, [
        Case(f"tls-{how}", plan, tls="none", slow=slow, **WITH_TLS) for how, plan, slow, _ in NO_TLS
    ], says="delivered in clear, if nothing demands TLS"),
    Row("sends bytes in clear behind its answer to STARTTLS", RESTS, [
        Case("inject", {"starttls": b"220 go on\r\n250 2.0.0 ok\r\n"}, "4.7.5", "bytes in clear behind its answer", secret=True, never=("mail",), **WITH_TLS),
    ], says="the connection ends, nothing is sent; the lane rests"),
    Row("**DANE**: the certificate fits the TLSA record", TAKEN, [
        Case("dane", dane=True, tls="TLSv1.3 .*, proved", secret=True, **WITH_TLS),
    ], says="delivered over TLS, and proved"),
    Row("it doesn't fit, TLS isn't offered, is refused or doesn't work; the TLSA record can't be looked up, or is forged", RESTS, [
        Case("dane-other", None, "4.7.5", "no certificate of the server fits a TLSA record", certificate="other", dane=True, secret=True, never=("mail",)),
        Case("dane-stripped", None, "4.7.5", "doesn't offer TLS", dane=True, secret=True, never=("mail",)),
        *[Case(f"dane-{how}", plan, "4.7.5", words, dane=True, secret=True, slow=slow, never=("mail",), **WITH_TLS) for how, plan, slow, words in NO_TLS],
        Case("dane-servfail", None, "4.7.5", "TLSA of .*mx.dane-servfail.example can't be looked up now: .*Server Failure", failing=[("servfail", f"_tcp.{HOST}")], secret=True, never=("mail",), **WITH_TLS),
        Case("dane-forged", None, "4.7.5", "TLSA of .*mx.dane-forged.example fails DNSSEC validation", failing=[("forged", f"TLSA.{HOST}")], dane=True, secret=True, never=("mail",), **WITH_TLS),
        Case("pkix-stripped", None, "4.7.5", "doesn't offer TLS", dane=PKIX, secret=True, never=("mail",)),
    ], says="nothing is sent; the lane rests"),
    Row("the TLSA record is of a sort that isn't used (PKIX)", TAKEN, [
        Case("pkix", certificate="other", dane=PKIX, tls="TLSv1.3 .*, not proved", secret=True),
    ], says="delivered over TLS, whatever the certificate"),
    Row("**DNS**: null MX; no such domain; MX hosts without an address, that aren't there, or are addresses; MX that leads to us", BOUNCES, [
        Case("null", None, "5.1.10", "takes no mail", zone=[(NAME, MX, (0, ""))]),
        Case("nowhere", None, "5.1.2", "does not exist", zone=[("other.example", A, "127.0.0.1")]),
        Case("no-host", None, "5.4.4", "no host takes mail", zone=[(NAME, MX, (10, f"gone.{NAME}"))]),
        Case("no-address", None, "5.4.4", "no host takes mail", zone=[(NAME, MX, (10, HOST)), (HOST, MX, (10, HOST))]),
        Case("no-alias", None, "5.4.4", "no host takes mail", zone=[(NAME, MX, (10, HOST)), (HOST, CNAME, f"gone.{NAME}")]),
        Case("literal", None, "5.4.4", "not an address", zone=[(NAME, MX, (10, "127.0.0.1"))]),
        Case("ourselves", None, "5.4.6", "would come back", zone=[(NAME, MX, (10, "OURSELVES"))]),
    ]),
    Row("no MX but an address; aliases of the domain or the host; a host that is none beside one that is", TAKEN, [
        Case("implicit", zone=[(NAME, A, HERE)]),
        Case("alias", zone=[(NAME, CNAME, f"real.{NAME}"), (f"real.{NAME}", MX, (10, HOST)), (HOST, A, HERE)]),
        Case("alias-host", zone=[(NAME, MX, (10, f"b.{NAME}")), (f"b.{NAME}", CNAME, HOST), (HOST, A, HERE)]),
        Case("beside", zone=[(NAME, MX, (0, "")), (NAME, MX, (5, f"gone.{NAME}")), (NAME, MX, (10, HOST)), (HOST, A, HERE)]),
    ]),
    Row("no answer from the DNS, aliases in a circle, or an answer whose signature doesn't hold", RESTS, [
        Case("circle", None, "4.4.3", "aliases .* in a circle", zone=[(NAME, MX, (10, f"b.{NAME}")), (f"b.{NAME}", CNAME, f"c.{NAME}"), (f"c.{NAME}", CNAME, f"b.{NAME}")]),
        Case("servfail", None, "4.4.3", "Server Failure", failing=[("servfail", NAME)]),
        Case("dns-silent", None, "4.4.3", "MX of .* can't be looked up now: no whole answer within", failing=[("silent", NAME)], slow=True),
        Case("forged", None, "4.7.0", "fails DNSSEC validation", failing=[("forged", NAME)], never=("greeting",)),
    ]),
]  # fmt: skip


def table():
    """The table as the page has it."""
    lines = ["| the host | what comes of it | status |\n", "|---|---|---|\n"]
    for row in ROWS:
        found = sorted({case.status for case in row.cases if case.status})
        lines.append(f"| {row.host} | {row.says} | {', '.join(found) or '–'} |\n")
    return "".join(lines)


def page():
    """The page with this table in it, whatever it has there."""
    text = PAGE.read_text()
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    assert after, f"{PAGE} has no place for the table"
    return before + BEGIN + table() + END + after


if __name__ == "__main__":
    PAGE.write_text(page())
