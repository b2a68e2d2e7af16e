"""Uploads over HTTP: each becomes a run in a process of its own, to which the dashboard can attach."""
