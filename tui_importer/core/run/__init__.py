"""One run of an import, from the file to the report."""
