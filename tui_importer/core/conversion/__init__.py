"""Conversion of cells to the types of their columns: parsing, type inference and the mapping of columns."""
