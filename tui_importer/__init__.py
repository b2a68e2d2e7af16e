"""Spreadsheets into SQL databases: every row, exactly once, and every row that could not go named."""
