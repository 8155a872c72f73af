"""A demo that sends, into a world of the story's own."""

import re

from house import check


def sends(demo, zone, port):
    """Lets a demo's data send: hosts listen on `port`, and their names are the zone's."""
    settings = demo.data / "mailward.toml"
    text = settings.read_text()
    for key, value in (
        ("\nsend = false", "\nsend = true"),
        ("#port = 25", f"port = {port}"),
        ("#loopback = false", "loopback = true"),
        ('#servers = "system"', f'servers = ["127.0.0.1:{zone.port}"]'),
        ("#dnssec = true", "dnssec = false"),
    ):
        check(key in text, f"the key {key!r} is in the file", text)
        text = text.replace(key, value, 1)
    settings.write_text(text)


def unlimited(demo):
    """Lets its users send as much as they like."""
    settings = demo.data / "mailward.toml"
    text, count = re.subn(r"#((messages|recipients|new)_per_(hour|day)) = \d+", r"\1 = 0", settings.read_text())
    check(count == 12, "limits of users and domains are in the file", text)
    settings.write_text(text)
