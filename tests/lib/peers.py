"""Other people's programs, taken from Debian's packages without being installed: mail servers of Debian can't be installed
beside one another, and their packages would change the host.

A package is fetched by `apt-get download`, with what it needs and the host lacks, and unpacked into a directory of its
own below `target/peers`, once. Run by itself, this fetches all of them.
"""

import contextlib
import fcntl
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
KEPT = Path(os.environ.get("MAILWARD_PEERS") or Path(os.environ.get("CARGO_TARGET_DIR") or ROOT / "target") / "peers")
PACKAGES = ("postfix", "exim4-daemon-light", "opensmtpd", "libfaketime", "nftables")


class Missing(Exception):
    """A package that can't be had."""


def fetch(package):
    """The directory that a package is unpacked into."""
    place = KEPT / package
    KEPT.mkdir(parents=True, exist_ok=True)
    with open(KEPT / f"{package}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            try:
                unpack(package, place)
            except (OSError, subprocess.CalledProcessError) as error:
                output = getattr(error, "stdout", b"") or b""
                raise Missing(f"Debian's package {package} can't be fetched: {error}\n{output.decode('utf-8', 'replace')[-2000:]}") from None
    return place


def unpack(package, place):
    run = lambda *words, **more: subprocess.run(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=True, **more).stdout.decode()
    # What would have to come with it. What would have to go, as another mail server, stays where it is.
    planned = run("apt-get", "install", "--simulate", "--no-install-recommends", "--reinstall", package)
    names = dict.fromkeys([package, *re.findall(r"(?m)^Inst (\S+)", planned)])
    fetched = place.with_suffix(".new")
    shutil.rmtree(fetched, ignore_errors=True)
    (fetched / "packages").mkdir(parents=True)
    # Nobody but root has to read it: the fetching is done by root.
    run("apt-get", "download", "-o", "APT::Sandbox::User=root", *names, cwd=fetched / "packages")
    for one in sorted((fetched / "packages").glob("*.deb")):
        run("dpkg-deb", "--extract", str(one), str(fetched))
    shutil.rmtree(fetched / "packages")
    fetched.rename(place)


@contextlib.contextmanager
def faster(times):
    """Programs begun meanwhile live in a time that runs so many times faster, their clocks as well as their waits; None:
    as usual. Limits of minutes pass in seconds, and are those that the binary has for everybody."""
    if times is None:
        yield
        return
    (library,) = fetch("libfaketime").glob("usr/lib/*/faketime/libfaketimeMT.so.1")
    own = {"LD_PRELOAD": str(library), "FAKETIME": f"+0 x{times}"}
    before = {name: os.environ.get(name) for name in own}
    os.environ.update(own)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


if __name__ == "__main__":
    try:
        for each in PACKAGES:
            print(fetch(each))
    except Missing as error:
        sys.exit(f"{error}\n(apt-get update may help; this needs Debian and the network)")
