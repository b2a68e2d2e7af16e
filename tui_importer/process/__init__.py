"""Runs an import or an inspection as a process of its own: start, messages, signals."""
