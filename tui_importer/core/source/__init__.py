"""Reading: the reader protocol, choosing the sheet, and finding the table in it."""
