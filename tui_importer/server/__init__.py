"""Uploads over HTTP: each becomes a run, in a process of its own, that the dashboard can attach to as well."""
