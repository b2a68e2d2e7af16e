"""Finds readers, strategies and backends, built-in and third-party alike."""
