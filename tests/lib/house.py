"""What every story needs: a server of its own, somebody who checks, and wires to talk over.

A story is a program `run` in a folder. The runner gives it, by environment:
  MAILWARD   the binary
  WORK       an empty directory of its own, removed afterwards
  PORT_BASE  the first of a thousand free ports
Only the standard library is used.
"""

import fcntl
import imaplib
import json
import os
import poplib
import pty
import select
import signal
import smtplib
import socket
import ssl
import struct
import subprocess
import sys
import termios
import time
from email.message import EmailMessage
from pathlib import Path

BINARY = os.environ["MAILWARD"]
WORK = Path(os.environ["WORK"])
PORT_BASE = int(os.environ["PORT_BASE"])

PASSWORD = "quiet-lantern-93-orchard"
WRONG = "quiet-lantern-93-orchid"
# Nothing here measures time: this bound only turns "never" into a failure.
PATIENCE = float(os.environ.get("PATIENCE", "60"))


class Failed(Exception):
    """A story that isn't as it should be."""


def step(text):
    """Says what happens next."""
    print(f"- {text}", flush=True)


def check(condition, what, *details):
    """Goes on only if it holds; says what was found if it doesn't."""
    if not condition:
        found = "".join(f"\n    {detail!r}" for detail in details)
        raise Failed(f"not so: {what}{found}")


def same(found, wanted, what):
    """Goes on only if both are equal."""
    check(found == wanted, what, ("found", found), ("wanted", wanted))


def alike(found, wanted, what):
    """Byte for byte; tells the first difference only."""
    at = next((at for at, (a, b) in enumerate(zip(found, wanted)) if a != b), min(len(found), len(wanted)))
    check(found == wanted, f"{what} as it was, from byte {at} on", found[max(at - 60, 0) : at + 60], wanted[max(at - 60, 0) : at + 60])


def refused(errors, action, what):
    """Goes on only if the action is refused with one of these errors; gives the error."""
    try:
        result = action()
    except errors as error:
        return error
    raise Failed(f"not refused: {what}\n    {result!r}")


def until(question, what, patience=None):
    """Asks until the answer is true, and gives it. For events that nothing else announces."""
    end = time.monotonic() + (patience or PATIENCE)
    while True:
        answer = question()
        if answer:
            return answer
        if time.monotonic() > end:
            raise Failed(f"never came: {what}")
        time.sleep(0.02)


def run(*command, ok=(0,), stdin=None, env=None, cwd=None):
    """Runs a program to its end; fails unless it exits with one of `ok` (None: with anything)."""
    shown = " ".join(str(word) for word in command)
    done = subprocess.run(
        [str(word) for word in command],
        input=stdin.encode() if isinstance(stdin, str) else stdin,
        stdin=subprocess.DEVNULL if stdin is None else None,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, **(env or {})},
        cwd=cwd or WORK,
        timeout=PATIENCE * 3,
    )
    done.text = done.stdout.decode("utf-8", "replace")
    if ok is not None and done.returncode not in ok:
        raise Failed(f"{shown}\n    exit {done.returncode}\n{done.text}")
    return done


def mailward(*words, ok=(0,), stdin=None):
    """Runs the command line; gives what it wrote on standard output and on standard error."""
    done = subprocess.run(
        [BINARY, *map(str, words)],
        input=stdin.encode() if isinstance(stdin, str) else b"",
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=WORK,
        timeout=PATIENCE * 3,
    )
    out, err = done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")
    if ok is not None and done.returncode not in ok:
        raise Failed(f"mailward {' '.join(map(str, words))}\n    exit {done.returncode}\n{out}{err}")
    done.out, done.err = out, err
    return done


class Terminal:
    """A program on a terminal of its own: looked at and typed to like by a user."""

    def __init__(self, *command):
        self.name, self.shown, self.seen = command[0], b"", 0
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "vt100"
            os.execvp(command[0], [str(word) for word in command])
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))

    def read(self, end):
        """Reads what it shows next; False once it has closed its terminal."""
        ready, _, _ = select.select([self.terminal], [], [], 1)
        try:
            more = os.read(self.terminal, 65536) if ready else None
        except OSError:  # EIO: the program has closed its terminal.
            more = b""
        self.shown += more or b""
        if more != b"" and time.monotonic() > end:
            os.kill(self.pid, signal.SIGKILL)
            os.waitpid(self.pid, 0)
            raise Failed(f"{self.name} goes no further; it shows\n{self.shown[-3000:].decode('utf-8', 'replace')}")
        return more != b""

    def shows(self, text):
        """Waits until it has shown this since the last time."""
        end = time.monotonic() + PATIENCE
        while (at := self.shown.find(text.encode(), self.seen)) < 0:
            if not self.read(end):
                raise Failed(f"{self.name} ended and never showed {text!r}\n{self.shown[-3000:].decode('utf-8', 'replace')}")
        self.seen = at + len(text.encode())
        return self

    def press(self, keys):
        os.write(self.terminal, keys.encode())
        return self

    def ended(self):
        """Waits for its end; gives all that it has shown."""
        end = time.monotonic() + PATIENCE
        while self.read(end):
            pass
        os.close(self.terminal)
        _, status = os.waitpid(self.pid, 0)
        same(os.waitstatus_to_exitcode(status), 0, f"exit code of {self.name}")
        return self.shown.decode("utf-8", "replace")


def on_terminal(*command):
    """Runs a program on a terminal of its own, to its end; gives what it showed."""
    return Terminal(*command).ended()


class Process:
    """A server that runs: stopped by its pid, and never left behind."""

    running = []

    def __init__(self, words, log, **process):
        self.log = Path(log)
        with open(self.log, "ab") as out:
            self.process = subprocess.Popen(
                [BINARY, *map(str, words)], stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=WORK, **process
            )
        Process.running.append(self)

    @property
    def pid(self):
        return self.process.pid

    def signal(self, number):
        self.process.send_signal(number)

    def alive(self):
        return self.process.poll() is None

    def ended(self, what="the server ends"):
        """Waits for the end; gives the exit code."""
        try:
            code = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise Failed(f"never came: {what}") from None
        if self in Process.running:
            Process.running.remove(self)
        return code

    def stop(self):
        """SIGTERM, and the clean end that it asks for."""
        self.signal(signal.SIGTERM)
        same(self.ended(), 0, "exit code of a clean stop")

    def kill(self):
        self.process.kill()
        self.process.wait()
        if self in Process.running:
            Process.running.remove(self)

    def log_text(self):
        return self.log.read_text("utf-8", "replace")


class Demo(Process):
    """`mailward demo`, listening."""

    def __init__(self, data=None, base=None, log=None, words=(), process=None):
        self.data = Path(data or WORK / "data")
        self.base = base or PORT_BASE
        ready = WORK / f"ready-{self.base}.json"
        ready.unlink(missing_ok=True)
        super().__init__(
            ["demo", "--data", self.data, "--port-base", self.base, "--ready-file", ready, "--password", PASSWORD]
            + list(words),
            log or WORK / f"server-{self.base}.log",
            **(process or {}),
        )

        def is_ready():
            if not self.alive():
                raise Failed(f"the server ended with {self.process.returncode}:\n{self.log_text()[-4000:]}")
            return ready.exists()

        until(is_ready, "the ready file")
        facts = json.loads(ready.read_text())
        same(facts["pid"], self.pid, "pid in the ready file")
        self.ca = Path(facts["ca"])
        if not self.ca.is_absolute():
            self.ca = WORK / self.ca
        self.ports = facts["ports"]
        self.users = {user["address"]: user["password"] for user in facts["users"]}

    def log_text(self):
        own = self.data / "mailward.log"
        return super().log_text() + (own.read_text("utf-8", "replace") if own.exists() else "")

    # ---- wires ---------------------------------------------------------------------------------------------

    def trust(self):
        """TLS that believes the demo's authority and nobody else."""
        return trust(self.ca)

    def imap(self, user="alice@example.test", password=PASSWORD):
        """A logged-in IMAP session under TLS."""
        wire = imaplib.IMAP4_SSL("localhost", self.ports["imaps"], ssl_context=self.trust(), timeout=PATIENCE)
        wire.login(user, password)
        return wire

    def pop(self, user="alice@example.test", password=PASSWORD):
        """A logged-in POP3 session under TLS."""
        wire = poplib.POP3_SSL("localhost", self.ports["pop3s"], context=self.trust(), timeout=PATIENCE)
        wire.user(user)
        wire.pass_(password)
        return wire

    def submission(self, user="alice@example.test", password=PASSWORD):
        """A logged-in submission session under TLS."""
        wire = smtplib.SMTP_SSL("localhost", self.ports["submissions"], context=self.trust(), timeout=PATIENCE)
        wire.login(user, password)
        return wire

    def raw(self, door, tls=False):
        """A wire that says exactly what it is told, greeted."""
        wire = Raw(self.ports[door])
        if tls:
            wire.start_tls(self.trust())
        return wire

    # ---- mail ----------------------------------------------------------------------------------------------

    def deliver(self, text, to="alice@example.test", sender="stranger@elsewhere.example"):
        """Hands a message to port 25 like another server."""
        with smtplib.SMTP("localhost", self.ports["smtp"], timeout=PATIENCE) as wire:
            return wire.sendmail(sender, [to] if isinstance(to, str) else to, text)

    def messages(self, user="alice@example.test", mailbox="INBOX"):
        """Every message of a mailbox, as bytes, by UID."""
        wire = self.imap(user)
        wire.select(mailbox, readonly=True)
        found = fetch_all(wire)
        wire.logout()
        return found

    def subject(self, subject, user="alice@example.test", mailbox="INBOX"):
        """The messages with this subject."""
        return [m for m in self.messages(user, mailbox).values() if f"\r\nSubject: {subject}\r\n".encode() in m]


class Served(Demo):
    """A demo's data under `mailward serve`: by its settings as they stand in the file, which `demo` writes anew."""

    def __init__(self, demo):
        self.data, self.base, self.ca, self.ports, self.users = demo.data, demo.base, demo.ca, demo.ports, demo.users
        Process.__init__(self, ["serve", "--data", self.data], WORK / f"server-{self.base}.log")

        def is_ready():
            if not self.alive():
                raise Failed(f"the server ended with {self.process.returncode}:\n{self.log_text()[-4000:]}")
            return mailward("status", "--data", self.data, ok=None).returncode == 0

        until(is_ready, "an answer of the server")


def trust(ca):
    context = ssl.create_default_context(cafile=str(ca))
    context.check_hostname = True
    return context


def fetch_all(wire):
    """UID and whole text of every message in the selected mailbox."""
    status, answer = wire.uid("FETCH", "1:*", "(UID BODY.PEEK[])")
    check(status == "OK", "FETCH of everything", answer)
    found = {}
    for part in answer:
        if isinstance(part, tuple):
            words = part[0].decode().replace("(", " ").split()
            found[int(words[words.index("UID") + 1])] = part[1]
    return found


def message(subject, text="Hello.\r\n", sender="stranger@elsewhere.example", to="alice@example.test"):
    """A plain message."""
    mail = EmailMessage()
    mail["From"] = sender
    mail["To"] = to
    mail["Subject"] = subject
    mail["Message-ID"] = f"<{time.time_ns()}.{os.getpid()}@elsewhere.example>"
    mail["Date"] = "Sun, 22 Nov 2026 22:00:00 +0000"
    mail.set_content(text)
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


class Raw:
    """A socket that sends what it is told and reads lines."""

    def __init__(self, port, greeting=True):
        self.socket = socket.create_connection(("127.0.0.1", port), PATIENCE)
        self.buffer = b""
        self.greeting = self.line() if greeting else b""

    def send(self, data):
        """Sends; a peer that has closed is noticed when reading."""
        data = data.encode() if isinstance(data, str) else data
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError, ssl.SSLEOFError, ssl.SSLError):
            pass
        return self

    def line(self):
        """One line without its CRLF; None once the peer has closed."""
        while b"\n" not in self.buffer:
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                return None
            except (TimeoutError, socket.timeout):
                raise Failed(f"no answer; read so far: {self.buffer!r}") from None
            if not more:
                return None
            self.buffer += more
        line, self.buffer = self.buffer.split(b"\n", 1)
        check(line.endswith(b"\r"), "lines end with CRLF", line)
        return line[:-1]

    def reply(self):
        """One SMTP reply, its lines joined; None once the peer has closed."""
        lines = []
        while True:
            line = self.line()
            if line is None:
                return None if not lines else b"\n".join(lines)
            lines.append(line)
            if line[3:4] != b"-":
                return b"\n".join(lines)

    def ask(self, command):
        """Sends a line, gives the SMTP reply as text."""
        self.send(command if isinstance(command, bytes) else command.encode() + b"\r\n")
        reply = self.reply()
        return None if reply is None else reply.decode("utf-8", "replace")

    def rest(self):
        """Everything until the peer closes."""
        while True:
            try:
                more = self.socket.recv(65536)
            except (ConnectionResetError, ssl.SSLEOFError, ssl.SSLZeroReturnError):
                break
            except (TimeoutError, socket.timeout):
                raise Failed(f"the server didn't close; read so far: {self.buffer!r}") from None
            if not more:
                break
            self.buffer += more
        rest, self.buffer = self.buffer, b""
        return rest

    def start_tls(self, context):
        self.socket = context.wrap_socket(self.socket, server_hostname="localhost")
        self.buffer = b""

    def close(self):
        self.socket.close()


def tls_raw(port, context, greeting=True):
    """A wire under TLS from the first byte."""
    wire = Raw.__new__(Raw)
    plain = socket.create_connection(("127.0.0.1", port), PATIENCE)
    wire.socket = context.wrap_socket(plain, server_hostname="localhost")
    wire.buffer = b""
    wire.greeting = wire.line() if greeting else b""
    return wire


def story(tell):
    """Tells a story: runs it, and leaves nothing running whatever happens."""
    code = 0
    try:
        tell()
        print("so it is", flush=True)
    except Failed as failure:
        print(f"FAILED: {failure}", flush=True)
        code = 1
    except BaseException:  # The trace is the report; what runs must be stopped first.
        import traceback

        traceback.print_exc(file=sys.stdout)
        code = 1
    for process in list(Process.running):
        try:
            if code:
                print(f"--- end of {process.log.name}\n{process.log_text()[-3000:]}", flush=True)
            process.signal(signal.SIGTERM)
            process.ended()
        except Exception as error:
            print(f"stopping: {error}", flush=True)
            code = 1
    sys.stdout.flush()
    os._exit(code)
