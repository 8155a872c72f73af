"""Chromium, as somebody who reads a page has it: on a screen, a phone and paper; and axe-core, which knows what others need.

It is driven over a pair of pipes with its own protocol, so nothing listens anywhere. What can't be had is a failure: no story
that needs a browser passes without.
"""

import base64
import contextlib
import fcntl
import hashlib
import itertools
import os
import pwd
import select
import shutil
import signal
import tarfile
import time
from pathlib import Path

import house
from house import *

# What looks at pages for those who can't; it comes by npm and stays below the build.
AXE = "axe-core@4.14.1"
DIGEST = "e6b0ce02b84d892e2e33e403485e7f3d6c29e2be6df65daf44d89ba564139745"
KEPT = Path(house.BINARY).resolve().parents[1] / "axe-core"

PHONE, SCREEN = (390, 844), (1280, 800)


def axe():
    """The text of axe-core."""
    archive = KEPT / f"{AXE.replace('@', '-')}.tgz"
    KEPT.mkdir(parents=True, exist_ok=True)
    with open(KEPT / "lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not archive.exists():
            fetched = WORK / "axe"
            fetched.mkdir()
            home = {"HOME": pwd.getpwuid(os.getuid()).pw_dir}
            run("npm", "pack", "--silent", AXE, env=home, cwd=fetched)
            shutil.move(fetched / archive.name, archive)
    same(hashlib.sha256(archive.read_bytes()).hexdigest(), DIGEST, f"digest of {AXE}")
    with tarfile.open(archive) as held:
        return held.extractfile("package/axe.min.js").read().decode()


class Browser:
    """One page in a browser without a window. It ends with the story."""

    def __init__(self):
        program = shutil.which("chromium")
        check(program, "chromium is installed (./test installs it; apt-get install chromium)")
        self.log = WORK / "chromium.log"
        ours, theirs = os.pipe(), os.pipe()
        # Read from 3, write to 4: --remote-debugging-pipe.
        script = f'exec "$0" "$@" 3<&{ours[0]} 4>&{theirs[1]}'
        words = [
            program, "--headless=new", "--remote-debugging-pipe", "--no-first-run", "--disable-gpu", "--disable-dev-shm-usage",
            "--disable-extensions", "--disable-background-networking", "--disable-component-update", "--no-proxy-server",
            f"--user-data-dir={WORK / 'chromium'}", "--hide-scrollbars",
        ]  # fmt: skip
        if os.geteuid() == 0:
            words.append("--no-sandbox")
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(
                ["sh", "-c", script, *words, "about:blank"], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                pass_fds=(ours[0], theirs[1]), process_group=0, env={**os.environ, "HOME": str(WORK)},
            )  # fmt: skip
        os.close(ours[0])
        os.close(theirs[1])
        self.to, self.back, self.buffer = ours[1], theirs[0], b""
        self.numbers, self.events = itertools.count(1), []
        page = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = None
        self.session = self.ask("Target.attachToTarget", targetId=page, flatten=True)["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.ask(f"{domain}.enable")

    def heard(self):
        """The next thing that it says."""
        end = time.monotonic() + PATIENCE
        while b"\0" not in self.buffer:
            ready, _, _ = select.select([self.back], [], [], 1)
            more = os.read(self.back, 1 << 20) if ready else None
            check(more != b"" and time.monotonic() < end, "a browser that answers", self.log.read_text("utf-8", "replace")[-3000:])
            self.buffer += more or b""
        said, self.buffer = self.buffer.split(b"\0", 1)
        return json.loads(said)

    def ask(self, method, **params):
        """Says something, gives the answer; what happens meanwhile is kept in `events`."""
        number = next(self.numbers)
        asked = {"id": number, "method": method, "params": params}
        if getattr(self, "session", None):
            asked["sessionId"] = self.session
        text = json.dumps(asked).encode() + b"\0"
        while text:
            text = text[os.write(self.to, text) :]
        while True:
            said = self.heard()
            if said.get("id") == number:
                check("error" not in said, method, said.get("error"))
                return said["result"]
            self.events.append(said)

    def look(self, size, dark=False):
        """The size of the screen in points, and what its owner likes."""
        width, height = size
        self.ask("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=width < 600)
        scheme = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.ask("Emulation.setEmulatedMedia", media="", features=scheme)
        return self

    def open(self, file):
        """Opens a file, and waits until all of it is there."""
        self.events.clear()
        self.ask("Page.navigate", url=Path(file).as_uri())
        while not any(event.get("method") == "Page.loadEventFired" for event in self.events):
            self.events.append(self.heard())
        return self

    def told(self, *methods):
        """What happened of these kinds since the page was opened."""
        return [event["params"] for event in self.events if event.get("method") in methods]

    def evaluate(self, script):
        """What a script finds; the page's own policy doesn't hold for whoever looks at it."""
        done = self.ask("Runtime.evaluate", expression=script, returnByValue=True, awaitPromise=True)
        check("exceptionDetails" not in done, "a script that runs", done.get("exceptionDetails"))
        return done["result"].get("value")

    def violations(self, library):
        """What axe-core complains about: rules and where."""
        self.evaluate(library + "\n;0")
        found = self.evaluate("axe.run(document, {resultTypes: ['violations']}).then(r => r.violations.map(v => [v.id, v.help, v.nodes.slice(0, 3).map(n => n.html)]))")
        passed = self.evaluate("axe.run(document, {runOnly: ['color-contrast', 'html-has-lang', 'th-has-data-cells']}).then(r => r.passes.map(p => p.id))")
        # Had it looked at nothing, it would complain about nothing.
        check("color-contrast" in passed and "html-has-lang" in passed, "axe-core looked at the page", passed)
        return found

    def picture(self, file, whole=False):
        """A picture of what is seen, or of the whole page."""
        shot = self.ask("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        Path(file).write_bytes(base64.b64decode(shot["data"]))

    def paper(self, file):
        """The page on paper: a PDF of A4 sheets, as the page wants them."""
        printed = self.ask("Page.printToPDF", preferCSSPageSize=True, printBackground=False)
        Path(file).write_bytes(base64.b64decode(printed["data"]))

    def close(self):
        """Ends it and all that it began."""
        try:
            self.ask("Browser.close")
            self.process.wait(10)
        except (Failed, OSError, subprocess.TimeoutExpired):
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
