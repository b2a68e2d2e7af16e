"""Reads delimited text: what its bytes, lines and records are is found out from the file, not from its name."""
