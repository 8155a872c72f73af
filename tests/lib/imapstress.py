"""A session that sends commands at random and believes nothing: each answer is held against its model and the ledger.

The idea is Dovecot's imaptest; the code is our own. What a command promises is checked where it is answered; what must
hold between sessions is checked by the ledger; what a mailbox holds in the end, by the story.
"""

import random

from house import *
from imapmodel import Command, Ledger, Model, Slot
from imapwire import ImapWire, Literal, read_set, write_set

FLAGS = (b"\\Seen", b"\\Answered", b"\\Flagged", b"\\Draft", b"Todo", b"$Label1", b"Later", b"$Forwarded")
MAILBOXES = ("INBOX", "Other")
# So many messages a mailbox has at about: enough for sets, few enough to meet the others'.
ROOM = 40

WEIGHTS = {
    "fetch": 22, "read": 6, "changed_since": 4, "store": 22, "append": 9, "deliver": 2, "copy": 5, "move": 4, "doom": 4,
    "expunge": 4, "uid_expunge": 3, "search": 10, "noop": 8, "idle": 4, "status": 4, "pair": 10, "select": 5,
    "leave": 2, "vanish": 3,
}


class Session:
    """One client with its chance, its wire and its model."""

    def __init__(self, demo, ledger, seed, number):
        self.demo, self.ledger, self.name = demo, ledger, f"session {number}"
        self.chance = random.Random(f"{seed}/{number}")
        self.wire = self.model = None
        self.condstore = self.qresync = False
        self.memory = {}  # mailbox → what a client keeps over a disconnection: (UIDVALIDITY, HIGHESTMODSEQ, slots)
        self.counts = {}
        self.messages = 0
        self.connect()

    def connect(self):
        self.wire = ImapWire(self.demo, talk=self.wire and self.wire.talk)
        self.can = self.wire.capabilities
        self.model, self.condstore, self.qresync = None, False, False
        wanted = []
        if "QRESYNC" in self.can and self.chance.random() < 0.7:
            wanted.append("QRESYNC")
        elif self.chance.random() < 0.5:
            wanted.append("CONDSTORE")
        self.rev2 = "IMAP4REV2" in self.can and self.chance.random() < 0.5
        if self.rev2:
            wanted.append("IMAP4rev2")
        if wanted:
            self.run(Command("ENABLE", f"ENABLE {' '.join(wanted)}"))
        self.qresync = "QRESYNC" in wanted
        self.condstore = self.qresync or "CONDSTORE" in wanted

    # ---- the wire ------------------------------------------------------------------------------------------

    def run(self, *commands):
        """Sends commands together and takes their answers in order."""
        tags = []
        for command in commands:
            command.floors = {mailbox: self.ledger.floors(mailbox) for mailbox in MAILBOXES}
            tags.append(self.wire.tag())
        out = []
        for tag, command in zip(tags, commands):
            out += [f"{tag} ", *command.pieces, "\r\n"]
            self.counts[command.name] = self.counts.get(command.name, 0) + 1
        self.wire.send(*out)
        for tag, command in zip(tags, commands):
            # A UID command may be told of an EXPUNGE before it is over.
            command.view = list(self.model.slots) if self.model else []
            if command.name == "IDLE":
                self.idle_until_done(command)
            while True:
                response = self.wire.response()
                check(response is not None, f"{self.name}: an answer to {command.pieces}", self.model)
                if response.tag == tag:
                    break
                self.take(response, command)
            self.end(response, command)

    def idle_until_done(self, command):
        while True:
            response = self.wire.response()
            if response.tag == "+":
                break
            self.take(response, command)
        # Others have their turn in between: the news of whatever they do come here or at the end.
        if self.chance.random() < 0.5:
            time.sleep(self.chance.random() * 0.05)
        self.wire.send("DONE\r\n")

    def take(self, response, command):
        check(response.tag == "*", "an untagged response", response, command.pieces)
        check(response.name != "BYE", f"{self.name}: no BYE", response, command.pieces)
        if response.has_code(b"CLOSED"):
            check(command.opened is not None, "CLOSED only at a SELECT", response)
            self.model = command.opened
            return
        if command.opened is not None and self.model is None:
            self.model = command.opened
        if response.has_code(b"COPYUID"):
            command.copied = response.code
        if self.model is None or not self.model.take(response, command):
            command.others.append(response)

    def end(self, response, command):
        if command.opened is not None:
            check(self.model is command.opened, "a SELECT closes what was open before, and says so", response)
            self.model.settle_earlier()
        if response.has_code(b"COPYUID"):
            command.copied = response.code
        command.code = response.code
        check(response.name != "BAD", f"{self.name}: a good command", response, command.pieces)
        if command.name in ("FETCH", "STORE", "COPY", "MOVE") and response.has_code(b"EXPUNGEISSUED"):
            command.ok = False
        else:
            command.ok = response.name == "OK"
            check(command.ok, f"{self.name}: {command.name} succeeds", response, command.pieces)
        if command.done:
            command.done(command)
        if self.model is not None and command.name not in ("CLOSE", "UNSELECT"):
            self.model.tagged(response, command)

    # ---- choosing ------------------------------------------------------------------------------------------

    def step(self):
        """One action at random."""
        names = list(WEIGHTS)
        action = self.chance.choices(names, [WEIGHTS[name] for name in names])[0]
        if self.model is None and action not in ("append", "deliver", "status", "noop", "vanish"):
            action = "select"
        if self.model is not None and len(self.model.slots) > ROOM and action in ("append", "copy", "deliver"):
            action = self.chance.choice(("doom", "move", "expunge"))
        if self.model is not None and self.model.read_only and action in ("store", "move", "doom", "expunge", "uid_expunge"):
            action = "fetch"
        if self.model is not None and not self.model.slots and action in ("fetch", "read", "store", "copy", "move", "doom"):
            action = "append"
        getattr(self, action)()

    def some(self, most=8, named=False):
        """Some neighbouring or scattered messages, as (index, slot)."""
        slots = [(i, s) for i, s in enumerate(self.model.slots) if s.uid is not None or not named]
        if not slots:
            return []
        count = self.chance.randint(1, min(most, len(slots)))
        if self.chance.random() < 0.5:
            start = self.chance.randint(0, len(slots) - count)
            return slots[start : start + count]
        return sorted(self.chance.sample(slots, count), key=lambda pair: pair[0])

    def address(self, most=8, uid=None):
        """Messages to ask for: (their slots, the set, whether it is one of UIDs)."""
        uid = self.chance.random() < 0.5 if uid is None else uid
        chosen = self.some(most, named=uid)
        if not chosen:
            return self.address(most, uid=False)
        numbers = [slot.uid for _, slot in chosen] if uid else [index + 1 for index, _ in chosen]
        return [slot for _, slot in chosen], write_set(numbers), uid

    def a_flag_list(self):
        return self.chance.sample(FLAGS, self.chance.randint(1, 3))

    # ---- reading -------------------------------------------------------------------------------------------

    def fetch(self):
        self.run(self.a_fetch())

    def a_fetch(self, uid=None):
        """FETCH of what costs little."""
        choices = ["(UID FLAGS)", "(FLAGS)", "(UID FLAGS INTERNALDATE)", "(UID RFC822.SIZE)", "(UID ENVELOPE)",
                   "(UID FLAGS MODSEQ)", "(MODSEQ)", "(UID BODY.PEEK[HEADER.FIELDS (MESSAGE-ID)])"]
        items = self.chance.choice(choices)
        if self.chance.random() < 0.15:
            slots, numbers, uid = list(self.model.slots), "1:*", self.chance.random() < 0.5 if uid is None else uid
        else:
            slots, numbers, uid = self.address(12, uid)
        return Command(
            "FETCH", f"{'UID ' if uid else ''}FETCH {numbers} {items}", uid=uid, done=self.fetched, slots=slots,
            enables="MODSEQ" in items,
        )

    def read(self):
        """FETCH of whole messages, which may mark them as seen."""
        item = self.chance.choice(("BODY[]", "BODY.PEEK[]", "BODY[TEXT]", *([] if self.rev2 else ["RFC822"])))
        slots, numbers, uid = self.address(4)
        text = f"{'UID ' if uid else ''}FETCH {numbers} (UID {item})"
        self.run(Command("FETCH", text, uid=uid, done=self.fetched, slots=slots, marks=True))

    def changed_since(self):
        since = self.chance.choice([self.model.highest or 1, self.chance.randint(1, max(1, self.model.highest))])
        vanished = self.qresync and self.chance.random() < 0.7
        command = Command(
            "FETCH", f"UID FETCH 1:* (FLAGS) (CHANGEDSINCE {since}{' VANISHED' if vanished else ''})",
            uid=True, earlier=vanished, done=self.fetched, enables=True,
        )
        self.run(command)
        for responses in command.fetched.values():
            if not any(int(items[b"MODSEQ"][0]) > since for _, _, items in responses if b"MODSEQ" in items):
                raise Failed(f"not so: CHANGEDSINCE {since} tells what changed since\n    {responses}")
        # What is known as newer must have been told.
        for slot in self.model.slots:
            if slot.modseq is not None and slot.modseq > since and id(slot) not in command.fetched:
                self.ledger.silence(self.model.mailbox, slot, command)

    def fetched(self, command):
        self.enabled(command)
        for slot in command.slots:
            if id(slot) not in command.fetched:
                self.ledger.silence(self.model.mailbox, slot, command)
        for responses in command.fetched.values():
            for _, slot, items in responses:
                self.look(slot, items)

    def look(self, slot, items):
        """What a FETCH tells of a message's content."""
        message_id = None
        body = items.get(b"BODY[]", items.get(b"RFC822"))
        if body is not None:
            message_id = id_of(body)
            self.ledger.reads(message_id, body)
        if b"BODY[HEADER.FIELDS (MESSAGE-ID)]" in items:
            message_id = id_of(items[b"BODY[HEADER.FIELDS (MESSAGE-ID)]"])
        if b"ENVELOPE" in items:
            message_id = items[b"ENVELOPE"][9].decode()
        if message_id and slot.uid is not None:
            self.ledger.owns(self.model.mailbox, slot.uid, message_id)
        if b"RFC822.SIZE" in items and slot.uid is not None:
            whole = self.ledger.whole.get(self.ledger.owner.get((self.model.mailbox, slot.uid)))
            check(whole is None or int(items[b"RFC822.SIZE"]) == len(whole), "RFC822.SIZE counts the text", slot)

    def search(self):
        self.run(self.a_search())

    def a_search(self, uid=None):
        uid = self.chance.random() < 0.5 if uid is None else uid
        slots, numbers, by_uid = self.address(10) if self.model.slots else ([], "1:*", True)
        of = f"UID {numbers}" if by_uid else numbers
        keys = self.chance.choice((
            "ALL", of, of, f"{of} UNDELETED", f"NOT {of}", "KEYWORD Todo", "UNSEEN", "OR FLAGGED KEYWORD Later",
            f"{of} SEEN", "DELETED", "MODSEQ 1", "SUBJECT stress",
        ))
        returns = ""
        if "ESEARCH" in self.can and self.chance.random() < 0.3:
            returns = "RETURN (MIN MAX COUNT ALL) "
        has_numbers = keys in (of, f"{of} UNDELETED", f"{of} SEEN", f"NOT {of}") and not by_uid
        command = Command(
            "SEARCH", f"{'UID ' if uid else ''}SEARCH {returns}{keys}", uid=uid, numbers=has_numbers, done=self.searched,
            enables="MODSEQ" in keys,
        )
        command.within = {id(slot) for slot in slots} if keys.startswith(of) else None
        return command

    def searched(self, command):
        self.enabled(command)
        answers = [r for r in command.others if r.name in ("SEARCH", "ESEARCH")]
        same(len(answers), 1, f"answers to {command.pieces}")
        found = result_of(answers[0])
        same(found, sorted(set(found)), "numbers found, rising, each once")
        known = {slot.uid: slot for slot in command.view}
        for number in found:
            if command.uid:
                check(number in known or None in known, "SEARCH finds what this session knows", number, command.pieces)
                slot = known.get(number)
            else:
                check(number <= len(command.view), "SEARCH finds numbers that are there", number, command.pieces)
                slot = command.view[number - 1]
            if command.within is not None and slot is not None:
                check(id(slot) in command.within, "SEARCH finds within its set", number, command.pieces)

    def enabled(self, command):
        """A command that asks for MODSEQ makes it told from then on; the first one tells the highest (RFC 7162 §3.1)."""
        if command.enables and not self.condstore:
            self.condstore = True
            if self.model is not None:
                self.model.condstore = True
                check(command.highest is not None, "HIGHESTMODSEQ with the first use of CONDSTORE", command.pieces)

    # ---- changing ------------------------------------------------------------------------------------------

    def store(self):
        self.run(self.a_store())

    def a_store(self, flags=None, uid=None, most=8):
        slots, numbers, uid = self.address(most, uid)
        sign = "+" if flags else self.chance.choice(("+", "-", ""))
        flags = frozenset(flags or self.a_flag_list())
        silent = self.chance.random() < 0.4
        since, modifier = None, ""
        if flags != {b"\\Deleted"} and self.chance.random() < 0.3:
            known = [slot.modseq for slot in slots if slot.modseq]
            since = self.chance.choice(known or [self.model.highest or 1])
            modifier = f" (UNCHANGEDSINCE {since})"
        word = b" ".join(sorted(flags)).decode()

        def predict(slot):
            if sign == "":
                slot.flags = flags
            elif slot.flags is not None:
                slot.flags = slot.flags | flags if sign == "+" else slot.flags - flags

        command = Command(
            "STORE",
            f"{'UID ' if uid else ''}STORE {numbers}{modifier} {sign}FLAGS{'.SILENT' if silent else ''} ({word})",
            uid=uid, predict=predict if silent else None, done=self.stored, slots=slots, enables=since is not None,
        )
        command.sign, command.flags, command.silent, command.since = sign, flags, silent, since
        command.numbers = {(slot.uid if uid else index + 1): slot for index, slot in enumerate(self.model.slots)}
        return command

    def stored(self, command):
        self.enabled(command)
        modified = set()
        if command.code and command.code[0].upper() == b"MODIFIED":
            check(command.since is not None, "MODIFIED only after UNCHANGEDSINCE", command.pieces)
            for number in read_set(command.code[1]):
                check(number in command.numbers, "MODIFIED names what was asked for", number, command.pieces)
                modified.add(id(command.numbers[number]))
        here = {id(slot) for slot in self.model.slots}
        for slot in command.slots:
            told = [items for _, _, items in command.fetched.get(id(slot), [])]
            with_flags = [frozenset(items[b"FLAGS"]) for items in told if b"FLAGS" in items]
            if id(slot) in modified or id(slot) not in here:
                continue
            if command.silent:
                if not with_flags and not any(b"MODSEQ" in items for items in told):
                    command.predict(slot)
                    slot.flags_at, slot.guessed = None, True
                continue
            if not with_flags:
                self.ledger.silence(self.model.mailbox, slot, command)
                continue
            done = {"+": lambda f: command.flags <= f, "-": lambda f: not command.flags & f, "": lambda f: command.flags == f}
            check(any(map(done[command.sign], with_flags)), "STORE does it", slot, with_flags, command.pieces)

    def a_message(self):
        """A message that nobody else sends."""
        self.messages += 1
        message_id = f"<{self.name.replace(' ', '-')}.{self.messages}@stress.example>"
        size = self.chance.choice((100, 100, 1_000, 10_000, 100_000))
        text = (
            f"From: stress@elsewhere.example\r\nTo: alice@example.test\r\nSubject: stress {self.messages}\r\n"
            f"Message-ID: {message_id}\r\n\r\n" + f"{message_id} " * (size // len(message_id)) + "\r\n"
        ).encode()
        with self.ledger.lock:
            self.ledger.texts[message_id] = text
        return message_id, text

    def append(self):
        self.run(self.an_append())

    def an_append(self):
        message_id, text = self.a_message()
        mailbox = self.chance.choice(MAILBOXES)
        flags = self.a_flag_list() if self.chance.random() < 0.5 else []
        word = f"({b' '.join(flags).decode()}) " if flags else ""
        command = Command("APPEND", f"APPEND {mailbox} {word}", Literal(text), done=self.appended)
        command.mailbox, command.message_id = mailbox, message_id
        return command

    def appended(self, command):
        check(command.code and command.code[0] == b"APPENDUID", "APPENDUID", command.code)
        mailbox = command.mailbox
        self.ledger.opened(mailbox, int(command.code[1]))
        self.ledger.assigned(mailbox, int(command.code[2]), command.message_id, command.floors[mailbox])

    def deliver(self):
        message_id, text = self.a_message()
        with self.ledger.lock:
            self.ledger.smtp.add(message_id)
        self.demo.deliver(text)
        with self.ledger.lock:
            self.ledger.delivered.add(message_id)

    def copy(self):
        self.run(self.a_copy("COPY"))

    def move(self):
        self.run(self.a_copy("MOVE"))

    def a_copy(self, name):
        slots, numbers, uid = self.address(5)
        target = self.chance.choice(MAILBOXES)
        if name == "MOVE":
            if not all(slot.uid for slot in slots):
                return self.a_fetch()
            with self.ledger.lock:
                self.ledger.moved.update((self.model.mailbox, slot.uid) for slot in slots)
        text = f"{'UID ' if uid else ''}{name} {numbers} {target}"
        command = Command(name, text, uid=uid, done=self.copied, slots=slots)
        command.target = target
        return command

    def copied(self, command):
        if command.copied is None:
            return
        _, validity, sources, targets = command.copied
        sources, targets = read_set(sources), read_set(targets)
        same(len(sources), len(targets), "UIDs here and there")
        self.ledger.opened(command.target, int(validity))
        asked = {slot.uid for slot in command.slots}
        for source, target in zip(sources, targets):
            check(source in asked or None in asked, "COPYUID names what was asked for", source, command.pieces)
            message_id = self.ledger.owner.get((self.model.mailbox, source))
            self.ledger.assigned(command.target, target, message_id, command.floors[command.target])
            with self.ledger.lock:
                self.ledger.copies.append(((self.model.mailbox, source), (command.target, target)))
        if command.name == "MOVE":
            left = set(sources) & set(self.model.uids())
            check(not left, "what was moved is gone from here (RFC 6851 §3.3)", left, command.pieces)

    def doom(self):
        """Marks a few as deleted."""
        command = self.a_store({b"\\Deleted"}, most=4)
        if all(slot.uid is not None for slot in command.slots):
            with self.ledger.lock:
                self.ledger.marked.update((self.model.mailbox, slot.uid) for slot in command.slots)
            self.run(command)

    def expunge(self):
        self.run(Command("EXPUNGE", "EXPUNGE"))

    def uid_expunge(self):
        if self.model.uids():
            _, numbers, _ = self.address(10, uid=True)
            self.run(Command("EXPUNGE", f"UID EXPUNGE {numbers}", uid=True))

    # ---- the rest ------------------------------------------------------------------------------------------

    def noop(self):
        self.run(Command("NOOP", "CHECK" if self.model and not self.rev2 and self.chance.random() < 0.2 else "NOOP"))

    def idle(self):
        self.run(Command("IDLE", "IDLE"))

    def status(self):
        mailbox = self.chance.choice(MAILBOXES)
        text = f"STATUS {mailbox} (MESSAGES UIDNEXT UIDVALIDITY UNSEEN HIGHESTMODSEQ)"
        command = Command("STATUS", text, enables=True, done=self.enabled)
        self.run(command)
        (answer,) = [r for r in command.others if r.name == "STATUS"]
        items = dict(zip(answer.args[1][::2], map(int, answer.args[1][1::2])))
        self.ledger.opened(mailbox, items[b"UIDVALIDITY"])
        self.ledger.told(mailbox, items[b"UIDNEXT"], items[b"HIGHESTMODSEQ"], command.floors[mailbox])
        check(items[b"UNSEEN"] <= items[b"MESSAGES"] < items[b"UIDNEXT"], "STATUS adds up", answer)

    def pair(self):
        """Two commands at once, of which the first can't move the second's numbers (RFC 9051 §5.5)."""
        firsts = [lambda: self.a_fetch(uid=False), lambda: self.a_search(uid=False)]
        if not self.model.read_only:
            firsts.append(lambda: self.a_store(uid=False))
        if not self.model.slots:
            firsts = [self.an_append]
        first = self.chance.choice(firsts)()
        seconds = [self.an_append, lambda: Command("NOOP", "NOOP")]
        if first.holds and self.model.slots:
            seconds += [self.a_fetch, lambda: self.a_search(uid=True), lambda: self.a_copy("COPY")]
        self.run(first, self.chance.choice(seconds)())

    def select(self, mailbox=None):
        mailbox = mailbox or self.chance.choice(MAILBOXES)
        name = "EXAMINE" if self.chance.random() < 0.15 else "SELECT"
        opened = Model(mailbox, self.ledger, self.condstore, self.qresync, "QRESYNC" in self.can)
        opened.read_only = name == "EXAMINE"
        parameters, earlier = "", False
        remembered = self.memory.get(mailbox) if self.qresync else None
        if remembered and self.chance.random() < 0.9:
            parameters, earlier = self.resynchronise(opened, *remembered), True
        elif self.chance.random() < 0.3:
            parameters = " (CONDSTORE)"
            self.condstore = opened.condstore = True
        command = Command(name, f"{name} {mailbox}{parameters}", earlier=earlier, opened=opened)
        self.run(command)
        check(opened.exists is not None, "EXISTS at SELECT", command.pieces)
        self.ledger.opened(mailbox, opened.uid_validity)
        self.ledger.told(mailbox, opened.uid_next, opened.highest, command.floors[mailbox])
        if earlier:
            self.compare_resynchronised(opened)
        elif self.chance.random() < 0.8:
            self.learn()

    def learn(self):
        """Everything anew, as a client does that keeps nothing."""
        items = "(FLAGS MODSEQ)" if self.condstore else "(FLAGS)"
        self.run(Command("FETCH", f"UID FETCH 1:* {items}", uid=True, done=self.fetched, slots=list(self.model.slots)))

    def resynchronise(self, opened, uid_validity, highest, slots):
        """The QRESYNC parameter (RFC 7162 §3.2.5) from what was kept; some clients say what they know, some don't."""
        opened.earlier = [copy_of(slot) for slot in slots]
        known = ""
        if slots and self.chance.random() < 0.6:
            known = " " + write_set(slot.uid for slot in slots)
            if self.chance.random() < 0.5:
                sample = sorted(self.chance.sample(range(len(slots)), min(3, len(slots))))
                numbers = ",".join(str(index + 1) for index in sample)
                uids = ",".join(str(slots[index].uid) for index in sample)
                known += f" ({numbers} {uids})"
        return f" (QRESYNC ({uid_validity} {highest}{known}))"

    def compare_resynchronised(self, model):
        """What a fresh FETCH shows is what QRESYNC has told, but for what came after (told by its MODSEQ)."""
        before = {slot.uid: (slot.flags, slot.modseq) for slot in model.slots if slot.uid is not None}
        then = model.highest
        command = Command("FETCH", "UID FETCH 1:* (FLAGS MODSEQ)", uid=True, done=self.fetched, slots=list(model.slots))
        self.run(command)
        for _, slot, items in (told[0] for told in command.fetched.values()):
            flags, modseq = frozenset(items[b"FLAGS"]), int(items[b"MODSEQ"][0])
            if slot.uid in before:
                known_flags, known_modseq = before[slot.uid]
                as_known = known_flags in (None, flags) and known_modseq in (None, modseq)
                check(
                    modseq > then or as_known, f"{self.name}: QRESYNC told every change of flags",
                    slot, "known before", before[slot.uid], "HIGHESTMODSEQ then", then,
                )
        for uid in model.uids():
            # UIDs that weren't known are new since what was kept.
            kept = self.memory[model.mailbox][2]
            check(uid in before or not kept or uid > kept[-1].uid, "QRESYNC keeps what it had", uid, kept)

    def leave(self):
        if self.chance.random() < 0.5:
            # CLOSE takes away what is marked, without a word.
            self.run(Command("CLOSE", "CLOSE"))
        else:
            self.run(Command("UNSELECT", "UNSELECT"))
        self.model = None

    def vanish(self):
        """Breaks off and comes back, as a phone does; with QRESYNC it remembers."""
        model = self.model
        if model is not None and model.all_named() and self.qresync:
            self.memory[model.mailbox] = (model.uid_validity, model.highest, [copy_of(slot) for slot in model.slots])
        if self.chance.random() < 0.3 and model is not None:
            # In the midst of IDLE, as it mostly is.
            self.wire.send("idle IDLE\r\n")
        self.wire.close()
        self.connect()
        if model is not None:
            self.select(model.mailbox)


def copy_of(slot):
    other = Slot(slot.uid, slot.flags, slot.modseq)
    other.flags_at, other.guessed = slot.flags_at, slot.guessed
    return other


def id_of(text):
    """The Message-ID of a message's bytes."""
    for line in text.split(b"\r\n\r\n", 1)[0].split(b"\r\n"):
        if line.lower().startswith(b"message-id:"):
            return line.split(b":", 1)[1].strip().decode()
    return None


def result_of(answer):
    """The numbers that a SEARCH or ESEARCH response tells."""
    if answer.name == "SEARCH":
        return [int(arg) for arg in answer.args if not isinstance(arg, list)]
    args = [arg for arg in answer.args if not isinstance(arg, list)]
    words = [arg.upper() for arg in args]
    found = read_set(args[words.index(b"ALL") + 1]) if b"ALL" in words else []
    for word, expected in ((b"MIN", found[:1]), (b"MAX", found[-1:]), (b"COUNT", [len(found)])):
        if word in words:
            same([int(args[words.index(word) + 1])], expected, f"{word.decode()} of what was found")
    return found


def truth_of(demo, mailbox):
    """A mailbox as a new session sees it: (UIDVALIDITY, UIDNEXT, HIGHESTMODSEQ, [(UID, flags, MODSEQ)], [text])."""
    wire = ImapWire(demo)
    opened = Model(mailbox, Ledger())
    for response in wire.ask(f"EXAMINE {mailbox}"):
        opened.take(response, None)
    rows, texts = [], []
    if opened.exists:
        for response in wire.ask("FETCH 1:* (UID FLAGS MODSEQ BODY.PEEK[])"):
            if response.name == "FETCH":
                items = response.items()
                rows.append((int(items[b"UID"]), frozenset(items[b"FLAGS"]), int(items[b"MODSEQ"][0])))
                texts.append(items[b"BODY[]"])
    same(len(rows), opened.exists, f"messages of {mailbox}")
    wire.logout()
    return opened.uid_validity, opened.uid_next, opened.code, rows, texts
