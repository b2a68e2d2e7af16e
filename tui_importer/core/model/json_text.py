"""JSON of any text.

Cells and names of files may hold lone surrogates, which UTF-8 cannot encode but a JSON escape can.
"""

from __future__ import annotations

import json
from typing import Any

import msgspec


def encode_json(value: object, indent: int | None = None) -> bytes:
    """The value as JSON, in ASCII if it has a text that UTF-8 cannot encode, and in one line without an ``indent``."""
    try:
        data = msgspec.json.encode(value)
    except UnicodeEncodeError:
        return json.dumps(msgspec.to_builtins(value), indent=indent, allow_nan=False).encode("ascii")
    return data if indent is None else msgspec.json.format(data, indent=indent)


def decode_json(data: bytes, type_: Any) -> Any:
    """A value of this type, as :func:`encode_json` wrote it. Raises :class:`msgspec.DecodeError` for anything else."""
    try:
        return msgspec.json.decode(data, type=type_)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        try:
            value = json.loads(data)
        except ValueError as error:
            raise msgspec.DecodeError(str(error)) from error
        return msgspec.convert(value, type_)
