"""Scheduling: strategies, worker pools, the batch queue, the rate limit and the control of a run."""
