"""Setup, run, rejects, report, runs and help."""
