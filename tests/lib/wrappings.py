"""A file in every encoding and container that docs/scanning.md claims to open and that can be made here: by Python's library, by
Debian's programs (unpacked, see peers.py), or by hand where nobody makes them any more."""

import base64
import binascii
import bz2
import gzip
import io
import lzma
import subprocess
import tarfile
import zipfile
import zlib
from pathlib import Path

import peers


def part(bytes, name="", kind="application/octet-stream", encoding="base64"):
    """A part of a message, its bytes encoded."""
    if encoding == "base64":
        data = base64.encodebytes(bytes).replace(b"\n", b"\r\n")
    elif encoding == "quoted-printable":
        # Every sign, so that nothing of it stands there as it is.
        data = b"=\r\n".join(b"".join(b"=%02X" % byte for byte in bytes[at : at + 24]) for at in range(0, len(bytes), 24))
    else:
        data = bytes
    named = f'; name="{name}"' if name else ""
    place = f'Content-Disposition: attachment; filename="{name}"\r\n' if name else ""
    head = f"Content-Type: {kind}{named}\r\n{place}Content-Transfer-Encoding: {encoding}\r\n\r\n"
    return head.encode() + data + b"\r\n"


def message(subject, *parts, sender="ann@good.example"):
    """A message of these parts, behind a text."""
    head = (
        f"From: {sender}\r\nTo: alice@example.test\r\nSubject: {subject}\r\nDate: Thu, 26 Nov 2026 10:00:00 +0000\r\n"
        f"Message-ID: <{zlib.crc32(subject.encode())}@good.example>\r\nMIME-Version: 1.0\r\n"
        'Content-Type: multipart/mixed; boundary="b"\r\n\r\n'
    )
    text = b"Content-Type: text/plain; charset=utf-8\r\n\r\nsee attached\r\n"
    return head.encode() + b"".join(b"--b\r\n" + one for one in (text, *parts)) + b"--b--\r\n"


# ---- within text --------------------------------------------------------------------------------------------


def uuencoded(name, bytes):
    lines = [binascii.b2a_uu(bytes[at : at + 45]).decode().rstrip("\n") for at in range(0, len(bytes), 45)]
    return "\r\n".join(["hello", f"begin 644 {name}", *lines, "`", "end", ""]).encode()


def begin_base64(name, bytes):
    data = base64.encodebytes(bytes).decode().replace("\n", "\r\n")
    return f"hello\r\nbegin-base64 644 {name}\r\n{data}====\r\n".encode()


def yenc(name, bytes):
    out = b""
    for byte in bytes:
        byte = (byte + 42) % 256
        # What a line can't have, and the sign itself; a dot would be doubled on its way.
        out += b"=%c" % ((byte + 64) % 256) if byte in (0, 9, 10, 13, 32, 46, 61) else b"%c" % byte
    lines = b"\r\n".join(out[at : at + 128] for at in range(0, len(out), 128))
    # A line that ends within a pair is put together again by whoever reads it.
    assert all(not line.endswith(b"=") for line in lines.split(b"\r\n"))
    head = f"hello\r\n=ybegin line=128 size={len(bytes)} name={name}\r\n".encode()
    return head + lines + f"\r\n=yend size={len(bytes)} crc32={zlib.crc32(bytes):08x}\r\n".encode()


def binhex(name, bytes):
    """BinHex 4 (RFC 1741)."""
    signs = "!\"#$%&'()*+,-012345689@ABCDEFGHIJKLMNPQRSTUVXYZ[`abcdefhijklmpqr"
    crc = lambda data: binascii.crc_hqx(data, 0).to_bytes(2, "big")
    head = b"%c%s\0TEXTttxt\0\0" % (len(name), name.encode()) + len(bytes).to_bytes(4, "big") + b"\0\0\0\0"
    whole = head + crc(head) + bytes + crc(bytes) + crc(b"")
    whole = whole.replace(b"\x90", b"\x90\0")
    bits = "".join(f"{byte:08b}" for byte in whole)
    bits += "0" * (-len(bits) % 6)
    text = ":" + "".join(signs[int(bits[at : at + 6], 2)] for at in range(0, len(bits), 6)) + ":"
    lines = "\r\n".join(text[at : at + 64] for at in range(0, len(text), 64))
    return f"(This file must be converted with BinHex 4.0)\r\n\r\n{lines}\r\n".encode()


# ---- containers ---------------------------------------------------------------------------------------------


def zipped(name, bytes, method=zipfile.ZIP_DEFLATED):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        archive.writestr(name, bytes)
    return out.getvalue()


def tarred(name, bytes, how=""):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=f"w:{how}") as archive:
        entry = tarfile.TarInfo(name)
        entry.size = len(bytes)
        archive.addfile(entry, io.BytesIO(bytes))
    return out.getvalue()


def tnef(name, bytes):
    """Outlook's winmail.dat (MS-OXTNEF): an attachment's title and its bytes."""

    def attribute(level, number, kind, data):
        head = b"%c" % level + number.to_bytes(2, "little") + kind.to_bytes(2, "little") + len(data).to_bytes(4, "little")
        return head + data + (sum(data) & 0xFFFF).to_bytes(2, "little")

    return (
        bytes_of("789f3e22 0100")
        + attribute(1, 0x9006, 8, bytes_of("00000100"))
        + attribute(2, 0x9002, 6, bytes_of("0100 ffffffff 0000 0000 00000000"))
        + attribute(2, 0x8010, 1, name.encode() + b"\0")
        + attribute(2, 0x800F, 6, bytes)
    )


def bytes_of(text):
    return bytes.fromhex(text)


def apple_single(name, bytes, magic="00051600"):
    """AppleSingle: a name and a data fork (RFC 1740)."""
    first = 26 + 2 * 12
    entries = ((3, first, len(name)), (1, first + len(name), len(bytes)))
    table = b"".join(number.to_bytes(4, "big") for entry in entries for number in entry)
    return bytes_of(magic + "00020000" + "00" * 16 + "0002") + table + name.encode() + bytes


def ar(name, bytes):
    return b"!<arch>\n" + f"{name + '/':<16}{0:<12}{0:<6}{0:<6}{100644:<8}{len(bytes):<10}`\n".encode() + bytes


def lha(name, bytes):
    """LHA, stored, its head of the first kind."""
    crc = 0
    for byte in bytes:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    size = len(bytes).to_bytes(4, "little")
    head = b"-lh0-" + size + size + b"\0\0\0\0" + b"\x20\0" + b"%c" % len(name) + name.encode() + crc.to_bytes(2, "little")
    return b"%c%c" % (len(head), sum(head) & 0xFF) + head + bytes + b"\0"


def rar(name, bytes):
    """RAR 4, stored."""

    def block(kind, flags, rest, data=b""):
        head = b"%c" % kind + flags.to_bytes(2, "little") + (7 + len(rest)).to_bytes(2, "little") + rest
        return (zlib.crc32(head) & 0xFFFF).to_bytes(2, "little") + head + data

    size = len(bytes).to_bytes(4, "little")
    file = size + size + b"\2" + zlib.crc32(bytes).to_bytes(4, "little") + b"\0\0\0\0" + b"\x14\x30"
    file += len(name).to_bytes(2, "little") + b"\x20\0\0\0" + name.encode()
    return b"Rar!\x1a\7\0" + block(0x73, 0, b"\0" * 6) + block(0x74, 0x8000, file, bytes) + block(0x7B, 0x4000, b"")


def szdd(name, bytes):
    """Of compress.exe, all of it literal."""
    data = b"".join(b"\xff" + bytes[at : at + 8] for at in range(0, len(bytes), 8))
    return bytes_of("535a444488f02733 41 00") + len(bytes).to_bytes(4, "little") + data


def inner_message(name, bytes):
    return message("inside", part(bytes, name))


class Packers:
    """Debian's programs, in a directory of their own."""

    def __init__(self, directory):
        self.home = Path(directory)
        self.home.mkdir(parents=True)
        self.count = 0

    def run(self, package, *words, name, bytes, stdin=None, gives=None):
        """What a program makes of a file: what it wrote into `gives`, or on its output."""
        root = peers.fetch(package)
        self.count += 1
        place = self.home / str(self.count)
        place.mkdir()
        (place / name).write_bytes(bytes)
        program = next(path for path in (root / "usr/bin" / words[0], root / "bin" / words[0]) if path.exists())
        libraries = ":".join(map(str, [*root.glob("usr/lib/*-linux-gnu"), *root.glob("lib/*-linux-gnu")]))
        done = subprocess.run(
            [program, *words[1:]], input=stdin, cwd=place, capture_output=True, check=True, timeout=60,
            env={"PATH": "/usr/bin:/bin", "LD_LIBRARY_PATH": libraries, "HOME": str(place)},
        )  # fmt: skip
        return (place / gives).read_bytes() if gives else done.stdout

    def seven(self, name, bytes, *how):
        kind = how[0].removeprefix("-t")
        return self.run("7zip", "7zz", "a", *how, f"out.{kind}", name, name=name, bytes=bytes, gives=f"out.{kind}")

    def cabinet(self, name, bytes, *how):
        return self.run("gcab", "gcab", "-c", *how, "out.cab", name, name=name, bytes=bytes, gives="out.cab")

    def disk(self, name, bytes, *how):
        return self.run("genisoimage", "genisoimage", "-quiet", *how, "-o", "out.iso", name, name=name, bytes=bytes, gives="out.iso")

    def arj(self, name, bytes, how):
        return self.run("arj", "arj", "a", how, "out.arj", name, name=name, bytes=bytes, gives="out.arj")

    def cpio(self, name, bytes, how):
        return self.run("cpio", "cpio", "-o", "--quiet", "-H", how, name=name, bytes=bytes, stdin=name.encode() + b"\n")

    def debian(self, name, bytes):
        """A Debian package with this file."""
        self.count += 1
        tree = self.home / str(self.count) / "tree"
        (tree / "DEBIAN").mkdir(parents=True)
        (tree / "DEBIAN/control").write_text("Package: x\nVersion: 1\nArchitecture: all\nMaintainer: x <x@x.example>\nDescription: x\n")
        (tree / name).write_bytes(bytes)
        out = tree.parent / "out.deb"
        subprocess.run(["dpkg-deb", "-Zxz", "--root-owner-group", "--build", tree, out], capture_output=True, check=True, timeout=60)
        return out.read_bytes()

    def signed(self, name, bytes):
        """S/MIME with what is signed inside (smime.p7m)."""
        self.count += 1
        place = self.home / str(self.count)
        place.mkdir()
        run = lambda *words: subprocess.run(["openssl", *words], cwd=place, capture_output=True, check=True, timeout=60)
        run("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-subj", "/CN=x", "-keyout", "key", "-out", "cert")
        (place / "in").write_bytes(b"MIME-Version: 1.0\r\n" + part(bytes, name))
        run("cms", "-sign", "-binary", "-nodetach", "-in", "in", "-signer", "cert", "-inkey", "key", "-outform", "DER", "-out", "out")
        return (place / "out").read_bytes()

    def all(self):
        """What it is called, the name that it is attached by, and what makes it of a name and bytes."""
        ZIP = zipfile
        strip = lambda make: lambda name, bytes: make(bytes)
        return {
            "zip, stored": ("{}.zip", lambda n, b: zipped(n, b, ZIP.ZIP_STORED)),
            "zip, deflate": ("{}.zip", zipped),
            "zip, bzip2": ("{}.zip", lambda n, b: zipped(n, b, ZIP.ZIP_BZIP2)),
            "zip, LZMA": ("{}.zip", lambda n, b: zipped(n, b, ZIP.ZIP_LZMA)),
            "zip, deflate64": ("{}.zip", lambda n, b: self.seven(n, b, "-tzip", "-mm=Deflate64")),
            "zip, PPMd": ("{}.zip", lambda n, b: self.seven(n, b, "-tzip", "-mm=PPMd")),
            "zip behind a picture": ("{}.gif", lambda n, b: b"GIF89a\1\0\1\0\0\0\0;" + zipped(n, b)),
            "gzip": ("{}.gz", strip(gzip.compress)),
            "gzip, the second stream": ("{}.gz", strip(lambda b: gzip.compress(b"") + gzip.compress(b))),
            "bzip2": ("{}.bz2", strip(bz2.compress)),
            "xz": ("{}.xz", strip(lzma.compress)),
            "lzma": ("{}.lzma", strip(lambda b: lzma.compress(b, lzma.FORMAT_ALONE))),
            "Zstandard": ("{}.zst", lambda n, b: self.run("zstd", "zstd", "-q", "-c", n, name=n, bytes=b)),
            "compress": ("{}.Z", lambda n, b: self.run("ncompress", "compress", "-f", "-c", n, name=n, bytes=b)),
            "compress.exe": ("{}", szdd),
            "tar": ("{}.tar", tarred),
            "tar.gz": ("{}.tar.gz", lambda n, b: tarred(n, b, "gz")),
            "tar.bz2": ("{}.tar.bz2", lambda n, b: tarred(n, b, "bz2")),
            "tar.xz": ("{}.tar.xz", lambda n, b: tarred(n, b, "xz")),
            "7z, stored": ("{}.7z", lambda n, b: self.seven(n, b, "-t7z", "-m0=Copy")),
            "7z, LZMA": ("{}.7z", lambda n, b: self.seven(n, b, "-t7z", "-m0=LZMA")),
            "7z, LZMA2": ("{}.7z", lambda n, b: self.seven(n, b, "-t7z", "-m0=LZMA2")),
            "7z, PPMd": ("{}.7z", lambda n, b: self.seven(n, b, "-t7z", "-m0=PPMd")),
            "7z, bzip2": ("{}.7z", lambda n, b: self.seven(n, b, "-t7z", "-m0=BZip2")),
            "7z, deflate": ("{}.7z", lambda n, b: self.seven(n, b, "-t7z", "-m0=Deflate")),
            "cabinet, stored": ("{}.cab", lambda n, b: self.cabinet(n, b, "-n")),
            "cabinet, MSZIP": ("{}.cab", lambda n, b: self.cabinet(n, b, "-z")),
            "RAR, stored": ("{}.rar", rar),
            "LHA, stored": ("{}.lzh", lha),
            "ARJ, stored": ("{}.arj", lambda n, b: self.arj(n, b, "-m0")),
            "ARJ, method 1": ("{}.arj", lambda n, b: self.arj(n, b, "-m1")),
            "cpio, new": ("{}.cpio", lambda n, b: self.cpio(n, b, "newc")),
            "cpio, old": ("{}.cpio", lambda n, b: self.cpio(n, b, "odc")),
            "cpio, binary": ("{}.cpio", lambda n, b: self.cpio(n, b, "bin")),
            "ar": ("{}.a", ar),
            "Debian package": ("{}.deb", self.debian),
            "ISO 9660": ("{}.iso", lambda n, b: self.disk(n, b)),
            "ISO 9660, Joliet": ("{}.iso", lambda n, b: self.disk(n, b, "-J", "-R")),
            "TNEF": ("winmail.dat", tnef),
            "AppleSingle": ("{}", apple_single),
            "S/MIME, signed": ("smime.p7m", self.signed),
            "a message": ("{}.eml", inner_message),
            "five deep": ("{}.zip", self.five_deep),
        }

    def five_deep(self, name, bytes):
        inner = tarred(name, bytes, "gz")
        inner = self.seven("a.tar.gz", inner, "-t7z", "-m0=LZMA2")
        inner = inner_message("b.7z", inner)
        return zipped("d.eml", inner)

    def unopened(self):
        """The same of what isn't opened: by programs of Debian, or by the mark that it is known by around real bytes."""
        alone = lambda package, program: lambda n, b: self.run(package, program, "-c", n, name=n, bytes=b)
        return {
            "ARJ, method 4": ("{}.arj", lambda n, b: self.arj(n, b, "-m4")),
            "LZ4": ("{}.lz4", alone("lz4", "lz4")),
            "lzip": ("{}.lz", alone("lzip", "lzip.lzip")),
            "lzop": ("{}.lzo", alone("lzop", "lzop")),
            "WIM": ("{}.wim", self.windows_image),
            "SquashFS": ("{}.squashfs", self.squashed),
            "ext2": ("{}.img", self.file_system),
            "ext2 in a VHD": ("{}.vhd", lambda n, b: self.file_system(n, b) + b"conectix".ljust(512, b"\0")),
            "ext2 in a DMG": ("{}.dmg", lambda n, b: self.file_system(n, b) + b"koly".ljust(512, b"\0")),
            "bytes that are no archive at all": ("{}.ace", lambda n, b: b"\5\0\1" + bytes(byte ^ 0x5A for byte in b)),
        }

    def squashed(self, name, bytes):
        words = ("out.img", "-quiet", "-no-progress", "-noappend", "-comp", "gzip")
        return self.run("squashfs-tools", "mksquashfs", name, *words, name=name, bytes=bytes, gives="out.img")

    def windows_image(self, name, bytes):
        return self.run("wimtools", "wimlib-imagex", "capture", ".", "out.wim", "--compress=LZX", name=name, bytes=bytes, gives="out.wim")

    def file_system(self, name, bytes):
        """A file system of Linux with this file, made by the host's own program."""
        self.count += 1
        place = self.home / str(self.count)
        (place / "tree").mkdir(parents=True)
        (place / "tree" / name).write_bytes(bytes)
        make = ["/sbin/mke2fs", "-q", "-t", "ext2", "-d", "tree", "out.img", "256"]
        subprocess.run(make, cwd=place, capture_output=True, check=True, timeout=60)
        return (place / "out.img").read_bytes()


# What it is called, and a part of a message that has the file.
WITHIN_TEXT = {
    "plain": lambda n, b: part(b, n, encoding="7bit"),
    "base64": lambda n, b: part(b, n),
    "quoted-printable": lambda n, b: part(b, n, encoding="quoted-printable"),
    "declared to be text": lambda n, b: part(b, n, "text/plain"),
    "uuencode": lambda n, b: part(uuencoded(n, b), kind="text/plain", encoding="7bit"),
    "uuencode in base64": lambda n, b: part(uuencoded(n, b), kind="text/plain"),
    "uuencode, base64": lambda n, b: part(begin_base64(n, b), kind="text/plain", encoding="7bit"),
    "yEnc": lambda n, b: part(yenc(n, b), kind="text/plain; charset=iso-8859-1", encoding="8bit"),
    "yEnc in base64": lambda n, b: part(yenc(n, b), kind="text/plain; charset=iso-8859-1"),
    "BinHex": lambda n, b: part(binhex(n, b), kind="text/plain", encoding="7bit"),
    "BinHex, declared": lambda n, b: part(binhex(n, b), kind="application/mac-binhex40", encoding="7bit"),
    "a message, declared": lambda n, b: part(inner_message(n, b), kind="message/rfc822", encoding="7bit"),
    "a message in base64": lambda n, b: part(inner_message(n, b), kind="message/rfc822"),
}
