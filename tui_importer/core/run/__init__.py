"""One import from the file to the report."""
