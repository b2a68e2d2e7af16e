"""The reading side: what a reader is, which sheet is meant, and where in it the table is."""
