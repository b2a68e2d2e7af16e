"""Files that are a little broken: bytes of a text or of one part of a package, changed at random."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable, Sequence
from random import Random

#: What readers of text stumble over: quotes, delimiters, line ends, marks of encodings, and bytes of none.
_TEXT_TOKENS = (
    *(b'"', b'""', b'"\n', b",", b";", b"\t", b"\r", b"\n\n", b"\r\n", b"\\", b'\\"', b"'", b"=", b"-", b"#N/A"),
    *(
        b"\0",
        b"\x1a",
        b"\xef\xbb\xbf",
        b"\xff\xfe",
        b"\xe9",
        b"\xc3",
        b"\xf0\x9f\x98",
        b"\xc2\xa0",
        b"sep=;\n",
        b" " * 300,
    ),
    *(
        b" " * 300,
        b"1e999",
        b"9" * 40,
        b"31.12.2024",
        b"1.234,56",
        b"NaN",
        b"x" * 5_000,
        b"<html>",
        b"PK\x03\x04",
        b"\x1f\x8b",
    ),
)
#: What readers of XML and of workbooks stumble over.
_XML_TOKENS = (
    *(
        b"<",
        b">",
        b"/",
        b"&",
        b"&#0;",
        b"&#x1F600;",
        b"&nope;",
        b"]]>",
        b"<!--",
        b"<![CDATA[",
        b"<?",
        b'"',
        b"'",
        b"\0",
    ),
    *(
        b' r="A1"',
        b' r="XFD1048576"',
        b' r="ZZZZ1"',
        b' r="A0"',
        b' t="s"',
        b' t="e"',
        b' t="b"',
        b' t="str"',
        b' s="999"',
    ),
    *(
        b"<v>1e308</v>",
        b"<v>-1</v>",
        b"<v>99999999</v>",
        b"<v></v>",
        b"<f>1+1</f>",
        b"<row>",
        b"</row>",
        b"<c/>",
        b"xml:",
    ),
    *(
        b"_x0000_",
        b"_xD83D_",
        b"#N/A",
        b"\xff",
        b"\xef\xbb\xbf",
        b' r="1048577"',
        b'table:number-rows-repeated="1048576"',
    ),
)


def mutate_text(data: bytes, random: Random) -> bytes:
    """The bytes of a text, changed in one to four places."""
    return _mutated(data, random, _TEXT_TOKENS)


def mutate_binary(data: bytes, random: Random) -> bytes:
    """Any bytes, changed in one to four places."""
    return _mutated(data, random, (b"\0" * 4, b"\xff" * 4, b"\x09\x08", b"\x0a\0\0\0", b"\xfc\0", b"\x85\0"))


def mutate_package(data: bytes, random: Random) -> bytes:
    """A ZIP package with one of its parts changed, left out or given twice; or with bytes changed anywhere."""
    if random.random() < 0.1:
        return mutate_binary(data, random)
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        parts = [(name, package.read(name)) for name in package.namelist()]
    number = random.randrange(len(parts))
    name, content = parts[number]
    match random.randrange(12):
        case 0:
            del parts[number]
        case 1:
            parts.append((name.upper() if random.random() < 0.5 else f"/{name}", content))
        case 2:
            parts[number] = (name, parts[random.randrange(len(parts))][1])
        case 3 if not content.startswith((b"\xff\xfe", b"\xfe\xff")):
            text = content.decode("utf-8", "replace").replace("UTF-8", "UTF-16")
            parts[number] = (name, text.encode("utf-16"))
        case _:
            parts[number] = (name, _mutated(content, random, _XML_TOKENS))
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in parts:
            package.writestr(name, content)
    return buffer.getvalue()


def _mutated(data: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    for _ in range(random.randint(1, 4)):
        data = random.choice(_CHANGES)(data, random, tokens)
    return data


def _flip(data: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    if not data:
        return data
    at = random.randrange(len(data))
    return data[:at] + bytes([data[at] ^ 1 << random.randrange(8)]) + data[at + 1 :]


def _insert(data: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    at = random.randint(0, len(data))
    return data[:at] + random.choice(tokens) + data[at:]


def _replace(data: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    start, stop = _span(data, random)
    return data[:start] + random.choice(tokens) + data[stop:]


def _remove(data: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    start, stop = _span(data, random)
    return data[:start] + data[stop:]


def _repeat(data: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    start, stop = _span(data, random)
    return data[:stop] + data[start:stop] * random.choice((1, 1, 2, 50)) + data[stop:]


def _cut(data: bytes, random: Random, tokens: Sequence[bytes]) -> bytes:
    return data[: random.randint(0, len(data))]


def _span(data: bytes, random: Random) -> tuple[int, int]:
    start = random.randint(0, len(data))
    return start, min(len(data), start + random.choice((1, 1, 2, 5, 20, 200)))


_CHANGES: tuple[Callable[[bytes, Random, Sequence[bytes]], bytes], ...] = (
    *(_flip, _flip, _insert, _insert, _insert, _replace, _replace, _remove, _remove, _repeat, _cut),
)
