"""What a client may believe: a strict model of one selected mailbox, and a ledger of what holds for all sessions.

A model takes every response and fails at the first that contradicts what was told before: a number that changes its
message in silence, a count that shrinks without EXPUNGE, an EXPUNGE where none may stand (RFC 9051 §7.5.1), flags that
change under one modification sequence (RFC 7162 §3.1). It knows no sockets, so that a test can lie to it.
"""

import bisect
import threading

from house import *
from imapwire import read_set

# Commands that use message numbers: the numbers stand until they are answered.
HOLDING = ("FETCH", "STORE", "SEARCH", "SORT", "THREAD")


class Command:
    """What was asked: its words, what the session has done to know the answer, and who looks at it."""

    def __init__(self, name, *pieces, uid=False, numbers=False, done=None, **more):
        self.name, self.pieces, self.uid, self.done = name, pieces, uid, done
        self.holds = name in HOLDING and not uid
        # RFC 7162 §3.2.10: a UID SEARCH with message numbers in it holds VANISHED too.
        self.holds_vanished = self.holds or numbers
        # Messages that it is about; what a silent STORE makes of one; whether VANISHED (EARLIER) may answer it; whether
        # it makes MODSEQ told from now on; the model that a SELECT opens.
        self.slots = more.get("slots", ())
        self.predict = more.get("predict")
        self.earlier = more.get("earlier", False)
        self.enables = more.get("enables", False)
        # A FETCH that asks for no flags, and may set \\Seen.
        self.marks = more.get("marks", False)
        self.opened = more.get("opened")
        # What came: FETCHes by message, the code of COPYUID, HIGHESTMODSEQ, other responses, and how it ended.
        self.fetched, self.copied, self.highest, self.others = {}, None, None, []
        self.ok, self.code, self.floors = None, None, {}


class Slot:
    """A message at its number: what is known of it."""

    __slots__ = ("uid", "flags", "flags_at", "modseq", "guessed")

    def __init__(self, uid=None, flags=None, modseq=None):
        self.uid, self.flags, self.modseq = uid, flags, modseq
        self.flags_at = modseq if flags is not None else None
        self.guessed = False

    def __repr__(self):
        return f"uid {self.uid} flags {self.flags and sorted(self.flags)} modseq {self.modseq}"


class Ledger:
    """What holds for all sessions of one run."""

    def __init__(self):
        self.lock = threading.RLock()
        self.uid_validity = {}
        self.texts = {}  # Message-ID → bytes as they were handed over
        self.whole = {}  # Message-ID → bytes as they were first read
        self.smtp = set()  # Message-IDs on their way by SMTP, or there
        self.owner = {}  # (mailbox, UID) → Message-ID
        self.created = set()  # (mailbox, UID) that an answer has promised
        self.delivered = set()  # Message-IDs that SMTP has accepted
        self.versions = {}  # (mailbox, UID, MODSEQ) → flags
        self.gone = set()  # (mailbox, UID) told as gone
        self.marked = set()  # (mailbox, UID) that somebody has marked as deleted
        self.moved = set()  # (mailbox, UID) that somebody has moved elsewhere
        self.copies = []  # ((mailbox, UID), (mailbox, UID))
        self.silent = []  # (mailbox, message, what said nothing of it)
        self.last_uid, self.uid_next, self.highest = {}, {}, {}

    def floors(self, mailbox):
        """What everything answered later must lie above."""
        with self.lock:
            return max(self.last_uid.get(mailbox, 0), self.uid_next.get(mailbox, 1) - 1), self.highest.get(mailbox, 0)

    def opened(self, mailbox, uid_validity):
        with self.lock:
            same(uid_validity, self.uid_validity.setdefault(mailbox, uid_validity), f"UIDVALIDITY of {mailbox}")

    def told(self, mailbox, uid_next=None, highest=None, floors=(0, 0)):
        """UIDNEXT and HIGHESTMODSEQ only rise."""
        with self.lock:
            if uid_next is not None:
                check(uid_next > floors[0], f"UIDNEXT of {mailbox} is above every UID given", uid_next, floors)
                self.uid_next[mailbox] = max(uid_next, self.uid_next.get(mailbox, 0))
            if highest is not None:
                check(highest >= floors[1], f"HIGHESTMODSEQ of {mailbox} never falls", highest, floors)
                self.highest[mailbox] = max(highest, self.highest.get(mailbox, 0))

    def assigned(self, mailbox, uid, message_id, floors):
        """An answer promises a new message under this UID."""
        with self.lock:
            check(uid > floors[0], f"a new UID of {mailbox} is above all before", uid, floors)
            check((mailbox, uid) not in self.created, "a UID is given once", mailbox, uid)
            self.created.add((mailbox, uid))
            self.last_uid[mailbox] = max(uid, self.last_uid.get(mailbox, 0))
            if message_id:
                self.owns(mailbox, uid, message_id)

    def owns(self, mailbox, uid, message_id):
        """This UID was seen to be this message; it stays so for ever."""
        with self.lock:
            same(message_id, self.owner.setdefault((mailbox, uid), message_id), f"the message of UID {uid} of {mailbox}")

    def reads(self, message_id, text):
        """A message is what was handed over; what SMTP has put before it is the same for everybody."""
        with self.lock:
            given = self.texts.get(message_id)
            check(given is not None, "a message that somebody sent", message_id, text[:200])
            whole = self.whole.setdefault(message_id, text)
            right = text == whole and text.endswith(given)
            right = right and (text == given or message_id in self.smtp and text.startswith(b"Return-Path:"))
            check(right, f"{message_id} is there whole", len(text), len(given), text[:200], text[-100:])

    def version(self, mailbox, uid, modseq, flags):
        with self.lock:
            known = self.versions.setdefault((mailbox, uid, modseq), flags)
            same(flags, known, f"flags of UID {uid} of {mailbox} at MODSEQ {modseq}")

    def went(self, mailbox, uid):
        with self.lock:
            self.gone.add((mailbox, uid))

    def silence(self, mailbox, slot, command):
        """An answer left a message out, as if it were gone."""
        with self.lock:
            self.silent.append((mailbox, slot, command))

    def doomed(self):
        """Everything that somebody meant to go: moved, marked as deleted, or a copy of what was (it keeps the flag)."""
        marked, before = set(self.marked), -1
        while len(marked) != before:
            before = len(marked)
            marked.update(there for here, there in self.copies if here in marked)
        return marked | self.moved


class Model:
    """A selected mailbox as its session has been told of it."""

    def __init__(self, mailbox, ledger, condstore=False, qresync=False, uids_told=False):
        self.mailbox, self.ledger = mailbox, ledger
        self.condstore, self.qresync, self.uids_told = condstore, qresync, uids_told
        self.slots = []
        self.exists = None
        self.uid_validity = self.uid_next = None
        self.read_only = False
        # RFC 7162 §6: the client's copy of HIGHESTMODSEQ moves at tagged responses only.
        self.highest = 0
        self.heard = 0
        self.code = None
        # What was known before, when the mailbox is opened by QRESYNC.
        self.earlier = None

    # ---- what comes ----------------------------------------------------------------------------------------

    def take(self, response, command):
        """Applies a response; `command` is the one that is being answered, None between commands."""
        name = response.name
        if name == "EXISTS":
            self.take_exists(response.number)
        elif name == "EXPUNGE":
            check(not self.qresync, "VANISHED instead of EXPUNGE after ENABLE QRESYNC (RFC 7162 §3.2.10)", response)
            self.may_move(response, command)
            check(0 < response.number <= len(self.slots), "EXPUNGE of a number that is there", response, len(self.slots))
            self.remove(response.number - 1)
        elif name == "VANISHED":
            self.take_vanished(response, command)
        elif name == "FETCH":
            self.take_fetch(response, command)
        elif name == "OK" and response.tag == "*" and response.code:
            self.take_code(response, command)
        else:
            return False
        return True

    def may_move(self, response, command):
        check(command is not None, "nothing expunged while no command is in progress", response)
        holds = command.holds_vanished if response.name == "VANISHED" else command.holds
        check(not holds, f"numbers stand while {command.name} is answered", response, command.pieces)

    def take_exists(self, count):
        if self.exists is not None:
            check(count >= len(self.slots), "EXISTS never shrinks", count, len(self.slots))
        if self.earlier is not None and self.exists is None:
            # The messages known before keep their order; which of them are left, VANISHED tells.
            self.exists = count
            return
        self.settle_earlier()
        self.exists = count
        self.slots.extend(Slot() for _ in range(count - len(self.slots)))

    def remove(self, index):
        slot = self.slots.pop(index)
        self.exists = len(self.slots)
        if slot.uid is not None:
            self.ledger.went(self.mailbox, slot.uid)

    def take_vanished(self, response, command):
        earlier = response.args[0] == [b"EARLIER"]
        uids = read_set(response.args[-1])
        check(self.qresync, "VANISHED only after ENABLE QRESYNC", response)
        if earlier:
            check(command is not None and command.earlier, "VANISHED (EARLIER) only when asked for", response)
            check(not command.fetched, "VANISHED (EARLIER) before any FETCH (RFC 7162 §3.2.6)", response)
            gone = set(uids)
            if self.earlier is not None:
                self.earlier = [slot for slot in self.earlier if slot.uid not in gone]
            for uid in uids:
                self.ledger.went(self.mailbox, uid)
            # It changes no numbers: what is counted still has to be told once more, without EARLIER.
            for slot in self.slots:
                if slot.uid in gone:
                    self.ledger.silence(self.mailbox, slot, response)
            return
        self.settle_earlier()
        self.may_move(response, command)
        for uid in uids:
            # RFC 7162 §3.2.10.2: each one is a message that this client counts.
            self.remove(self.place(uid, response))

    def place(self, uid, response):
        """The index of a UID; of a message not yet known by it, if only such a one can be meant."""
        known = [(slot.uid, index) for index, slot in enumerate(self.slots) if slot.uid is not None]
        at = bisect.bisect_left(known, (uid, 0))
        if at < len(known) and known[at][0] == uid:
            return known[at][1]
        before = known[at - 1][1] if at else -1
        after = known[at][1] if at < len(known) else len(self.slots)
        check(after - before > 1, "VANISHED names a message that this client counts", response, known[-5:])
        return before + 1

    def settle_earlier(self):
        """After a SELECT with QRESYNC: what is left of the known messages comes first, the new ones after it."""
        if self.earlier is None:
            return
        known, self.earlier = self.earlier, None
        check(len(known) <= self.exists, "EXISTS counts what didn't vanish", len(known), self.exists)
        self.slots = known + [Slot() for _ in range(self.exists - len(known))]

    def take_fetch(self, response, command):
        self.settle_earlier()
        check(0 < response.number <= len(self.slots), "FETCH of a number that is there", response, len(self.slots))
        index = response.number - 1
        slot, items = self.slots[index], response.items()
        asked = command is not None and command.name == "FETCH" and not (command.marks and b"FLAGS" in items)
        if self.condstore and not asked:
            check(b"MODSEQ" in items, "MODSEQ in what wasn't asked by FETCH (RFC 7162 §3.1)", response)
            check(b"UID" in items or not self.uids_told, "UID in what wasn't asked by FETCH (RFC 7162 §3.2.4)", response)
        if b"UID" in items:
            self.name(index, int(items[b"UID"]), response)
        modseq = None
        if b"MODSEQ" in items:
            modseq = int(items[b"MODSEQ"][0])
            check(modseq >= (slot.modseq or 0), "the MODSEQ of a message never falls", response, slot)
            check(modseq > 0, "MODSEQ is above 0", response)
            self.heard = max(self.heard, modseq)
        if b"FLAGS" in items:
            flags = frozenset(items[b"FLAGS"]) - {b"\\Recent"}
            if modseq is not None:
                if slot.flags_at == modseq and not slot.guessed:
                    same(flags, slot.flags, f"flags at MODSEQ {modseq} of {slot}")
                # Who came back with this HIGHESTMODSEQ would never have been told of this change.
                late = modseq <= self.highest and not slot.guessed and slot.flags not in (None, flags)
                check(not late, "a change is told before HIGHESTMODSEQ passes it (RFC 7162 §6)", response, slot, self.highest)
                if slot.uid is not None:
                    self.ledger.version(self.mailbox, slot.uid, modseq, flags)
            slot.flags, slot.guessed, slot.flags_at = flags, False, modseq
        elif modseq is not None and command is not None and command.predict:
            command.predict(slot)
            slot.flags_at, slot.guessed = modseq, True
        if modseq is not None:
            slot.modseq = modseq
        if command is not None:
            command.fetched.setdefault(id(slot), []).append((response.number, slot, items))

    def name(self, index, uid, response):
        """A number has this UID: the one it had, and between its neighbours'."""
        slot = self.slots[index]
        if slot.uid == uid:
            return
        check(slot.uid is None, "a number keeps its UID", response, slot)
        before = next((s.uid for s in reversed(self.slots[:index]) if s.uid is not None), 0)
        after = next((s.uid for s in self.slots[index + 1 :] if s.uid is not None), 1 << 32)
        check(before < uid < after, "UIDs rise with the numbers", response, before, after)
        slot.uid = uid

    def take_code(self, response, command):
        code = response.code
        name = code[0].upper()
        if name == b"UIDVALIDITY":
            self.uid_validity = int(code[1])
        elif name == b"UIDNEXT":
            self.uid_next = int(code[1])
        elif name == b"HIGHESTMODSEQ":
            self.code = int(code[1])
            check(self.code >= self.highest, "HIGHESTMODSEQ never falls in a session", response, self.highest)
            if command is not None:
                command.highest = self.code

    def tagged(self, response, command):
        """A command has been answered (RFC 7162 §6)."""
        if response.has_code(b"HIGHESTMODSEQ"):
            self.take_code(response, command)
        self.ledger.told(self.mailbox, highest=max(self.code or 0, self.heard))
        if self.code is not None:
            self.highest = self.code
        else:
            self.highest = max(self.highest, self.heard)
        self.code, self.heard = None, 0

    # ---- what is known --------------------------------------------------------------------------------------

    def uids(self):
        return [slot.uid for slot in self.slots if slot.uid is not None]

    def all_named(self):
        return all(slot.uid is not None for slot in self.slots)

    def compare(self, truth, what):
        """Whether this is the mailbox as `truth` tells it: a list of (UID, flags, MODSEQ)."""
        same(len(self.slots), len(truth), f"messages that {what} counts")
        for number, (slot, (uid, flags, modseq)) in enumerate(zip(self.slots, truth), 1):
            if slot.uid is not None:
                same(slot.uid, uid, f"UID of message {number} as {what} knows it")
            if slot.flags is not None:
                same(slot.flags, flags, f"flags of UID {uid} of {self.mailbox} as {what} knows them ({slot})")
            if slot.modseq is not None:
                same(slot.modseq, modseq, f"MODSEQ of UID {uid} of {self.mailbox} as {what} knows it ({slot})")
