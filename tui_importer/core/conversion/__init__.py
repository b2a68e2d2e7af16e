"""Cells into the types of their columns: parsing, conversion, inference and the mapping of columns."""
