"""Messages of 16 KiB as strangers send them: made here of made-up words, always the same ones, and signed by DKIM."""

import base64
import email.utils
import hashlib
import io
import random
import re
import subprocess
import textwrap
import time
import zipfile

SIZE = 16 * 1024
SENDER, RECIPIENT = "ann@sender.example", "joe@example.test"
SELECTOR = "bench"
KINDS = ("plain text", "newsletter (HTML)", "with a ZIP", "with a DOCX")


def words(seed, count=4000):
    """A language: so many words."""
    chance = random.Random(seed)
    return ["".join(chance.choice("bcdfghklmnprstvw") + chance.choice("aeiou") for _ in range(chance.randint(1, 4))) for _ in range(count)]


def sentences(chance, language):
    """Text without end; few words are common, as in any language (Zipf's law)."""
    while True:
        chosen = [language[int(len(language) ** chance.random()) - 1] for _ in range(chance.randint(5, 18))]
        yield " ".join(chosen).capitalize() + "."


def text(chance, language, size):
    paragraphs, so_far = [], 0
    flow = sentences(chance, language)
    while so_far < size:
        paragraphs.append(textwrap.fill(" ".join(next(flow) for _ in range(chance.randint(2, 6))), 72))
        so_far += len(paragraphs[-1]) + 2
    return "\n\n".join(paragraphs)[:size].rstrip() + "\n"


def page(chance, language, size):
    """A page as newsletters are: tables, styles, pictures elsewhere, links."""
    rows, so_far, flow = [], 900, sentences(chance, language)
    while so_far < size:
        number = len(rows)
        rows.append(
            f'<tr><td style="padding:12px 24px;font-family:Arial,sans-serif;font-size:14px;color:#333333" align="left">'
            f'<a href="https://www.sender.example/news/{number}?from=letter&amp;n={chance.randrange(10**6)}">'
            f'<img src="https://images.sender.example/{number}.png" width="120" height="80" alt="{chance.choice(language)}"></a>'
            f"<h2>{chance.choice(language).title()}</h2><p>{next(flow)}<br>{next(flow)}</p></td></tr>\n"
        )
        so_far += len(rows[-1])
    return (
        '<!DOCTYPE html>\n<html><head><meta charset="utf-8"><title>News</title>\n<style>body{margin:0;background:#f4f4f4}'
        "a{color:#0645ad;text-decoration:none}</style></head>\n<body><table width=\"600\" align=\"center\">\n"
        + "".join(rows) + '</table><p><a href="https://www.sender.example/leave">Unsubscribe</a></p></body></html>\n'
    )


def quoted(some):
    import quopri

    return quopri.encodestring(some.encode()).decode()


def encoded(some):
    return base64.encodebytes(some).decode()


def zipped(files):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 2, 3, 4, 6)), content, zipfile.ZIP_DEFLATED)
    return out.getvalue()


def document(chance, language, size):
    """What word processors write, of about so many bytes."""
    flow, runs = sentences(chance, language), []
    head = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
    office = "http://schemas.openxmlformats.org"
    relation = f"{office}/officeDocument/2006/relationships"
    types = "application/vnd.openxmlformats-officedocument.wordprocessingml"
    while True:
        runs += [
            f'<w:p w:rsidR="{chance.getrandbits(32):08X}"><w:pPr><w:spacing w:after="120"/></w:pPr><w:r><w:rPr><w:sz w:val="22"/></w:rPr>'
            f"<w:t>{next(flow)}</w:t></w:r></w:p>" for _ in range(12)
        ]  # fmt: skip
        style = "".join(f'<w:style w:type="paragraph" w:styleId="S{n}"><w:name w:val="style {n}"/></w:style>' for n in range(40))
        made = zipped([
            ("[Content_Types].xml", head + f'<Types xmlns="{office}/package/2006/content-types"><Default Extension="rels" '
             'ContentType="application/vnd.openxmlformats-package.relationships+xml"/><Default Extension="xml" ContentType="application/xml"/>'
             f'<Override PartName="/word/document.xml" ContentType="{types}.document.main+xml"/></Types>'),
            ("_rels/.rels", head + f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="rId1" '
             f'Type="{relation}/officeDocument" Target="word/document.xml"/></Relationships>'),
            ("word/document.xml", head + f'<w:document xmlns:w="{office}/wordprocessingml/2006/main"><w:body>{"".join(runs)}</w:body></w:document>'),
            ("word/_rels/document.xml.rels", head + f'<Relationships xmlns="{office}/package/2006/relationships"><Relationship Id="rId1" '
             f'Type="{relation}/styles" Target="styles.xml"/></Relationships>'),
            ("word/styles.xml", head + f'<w:styles xmlns:w="{office}/wordprocessingml/2006/main">{style}</w:styles>'),
            ("docProps/core.xml", head + '<cp:coreProperties xmlns:cp="core" xmlns:dc="dc"><dc:creator>Ann</dc:creator></cp:coreProperties>'),
        ])
        if len(made) >= size:
            return made


def part(kind, content, *fields):
    return "\n".join([f"Content-Type: {kind}", *fields, "", content])


def attached(name, kind, content):
    return part(f'{kind}; name="{name}"', encoded(content), f'Content-Disposition: attachment; filename="{name}"',
                "Content-Transfer-Encoding: base64")


def multipart(kind, *parts):
    inside = "".join(f"--=_part\n{one.rstrip(chr(10))}\n\n" for one in parts)
    return f'multipart/{kind}; boundary="=_part"', inside + "--=_part--\n"


def letter(kind, key, size=SIZE):
    """A message of a kind, signed: its bytes."""
    chance, language = random.Random(kind), words("honest")
    plain = lambda size: part("text/plain; charset=utf-8", text(chance, language, size))
    if kind == KINDS[0]:
        declared, body = "text/plain; charset=utf-8", text(chance, language, size - 1_130)
    elif kind == KINDS[1]:
        inside = part("text/html; charset=utf-8", quoted(page(chance, language, size - 4_300)), "Content-Transfer-Encoding: quoted-printable")
        declared, body = multipart("alternative", plain(2_500), inside)
    elif kind == KINDS[2]:
        files = [(f"{chance.choice(language)}.{end}", text(chance, language, 7_600)) for end in ("txt", "csv", "txt")]
        declared, body = multipart("mixed", plain(1_200), attached("papers.zip", "application/zip", zipped(files)))
    else:
        office = "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
        declared, body = multipart("mixed", plain(1_200), attached("report.docx", office, document(chance, language, 10_000)))
    fields = [
        ("From", f"Ann Example <{SENDER}>"), ("To", f"Joe <{RECIPIENT}>"), ("Subject", f"About {chance.choice(language)} and {chance.choice(language)}"),
        ("Date", email.utils.formatdate(time.time())), ("Message-ID", f"<{hashlib.sha256(body.encode()).hexdigest()[:24]}@sender.example>"),
        ("MIME-Version", "1.0"), ("Content-Type", declared),
    ]  # fmt: skip
    body = body.replace("\n", "\r\n")
    signature = signed(fields, body, key)
    text_ = "".join(f"{name}: {value}\r\n" for name, value in [signature, *fields]) + "\r\n" + body
    return text_.encode()


def key(directory):
    """A signing key, and the record that goes with it: (file, text)."""
    file = directory / "dkim.pem"
    file.write_bytes(subprocess.run(["openssl", "genrsa", "2048"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout)
    public = subprocess.run(["openssl", "rsa", "-in", file, "-pubout", "-outform", "DER"], stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL, check=True).stdout
    return file, "v=DKIM1; k=rsa; p=" + base64.b64encode(public).decode()


def signed(fields, body, key):
    """The field of a signature (RFC 6376), relaxed/relaxed."""
    lines = [re.sub(r"[ \t]+", " ", line).rstrip(" ") for line in body.split("\r\n")]
    relaxed = "\r\n".join(lines).rstrip("\r\n") + "\r\n"
    digest = base64.b64encode(hashlib.sha256(relaxed.encode()).digest()).decode()
    domain = SENDER.partition("@")[2]
    value = (f"v=1; a=rsa-sha256; c=relaxed/relaxed; d={domain}; s={SELECTOR}; t={int(time.time())};"
             f" h={':'.join(name for name, _ in fields)}; bh={digest}; b=")
    header = "".join(f"{name.lower()}:{re.sub(r'[ ]+', ' ', text).strip()}\r\n" for name, text in fields)
    made = subprocess.run(["openssl", "dgst", "-sha256", "-sign", key], input=(header + f"dkim-signature:{value}").encode(),
                          stdout=subprocess.PIPE, check=True).stdout
    signature = base64.b64encode(made).decode()
    return "DKIM-Signature", value + "\r\n\t".join(["", *textwrap.wrap(signature, 72)])


def lessons(directory, count=150):
    """Directories of spam and of honest mail that a filter learns: (spam, honest)."""
    both = []
    for name, seed in (("spam", "spam"), ("ham", "honest")):
        (directory / name).mkdir(parents=True)
        language, common, chance = words(seed), words("honest"), random.Random(seed)
        for number in range(count):
            mixed = [chance.choice((a, b)) for a, b in zip(language, common)]
            (directory / name / f"{number}.eml").write_text(
                f"From: {name}{number}@{name}.example\nTo: joe@example.test\nSubject: {chance.choice(mixed)} {chance.choice(mixed)}\n"
                f"Date: {email.utils.formatdate(time.time())}\nMessage-ID: <{number}@{name}.example>\nMIME-Version: 1.0\n"
                f"Content-Type: text/plain; charset=utf-8\n\n{text(chance, mixed, chance.randint(500, 6_000))}")
        both.append(directory / name)
    return both
