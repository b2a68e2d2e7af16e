"""The dashboard: shows a run from its recording, and sets up new runs. Only the command line imports it."""
