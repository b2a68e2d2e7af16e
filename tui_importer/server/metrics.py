"""Metrics for Prometheus: counters and histograms of runs and requests, and gauges of the current state."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tui_importer.core.model.report import Report

#: Buckets in seconds: the smallest import takes half a second, a large one hours.
_RUN_SECONDS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)
_REQUEST_SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600)
#: Buckets in rows per second: from row by row over a slow network to COPY on one machine.
_RATES = (10, 100, 1_000, 5_000, 20_000, 50_000, 100_000, 500_000)

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """All metrics, in a registry of their own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._runs = Counter("tui_importer_runs", "Uploads that ended.", ["outcome"], registry=registry)
        self._rows = Counter(
            "tui_importer_rows", "Rows of runs that ended, by their fate.", ["fate"], registry=registry
        )
        self._rejects = Counter("tui_importer_rejects", "Rows that were rejected.", registry=registry)
        self._retries = Counter("tui_importer_retries", "Retries after transient errors.", registry=registry)
        self._run_seconds = Histogram(
            "tui_importer_run_seconds", "How long runs took.", buckets=_RUN_SECONDS, registry=registry
        )
        self._run_rates = Histogram(
            "tui_importer_run_rows_per_second", "Throughput of runs that ended.", buckets=_RATES, registry=registry
        )
        self._upload_bytes = Counter("tui_importer_upload_bytes", "Bytes of complete uploads.", registry=registry)
        self._requests = Counter(
            "tui_importer_http_requests",
            "Requests that were answered.",
            ["endpoint", "method", "status"],
            registry=registry,
        )
        self._request_seconds = Histogram(
            "tui_importer_http_request_seconds",
            "How long answers took.",
            ["endpoint"],
            buckets=_REQUEST_SECONDS,
            registry=registry,
        )
        # Start every counter at zero, so that rates are right from the first event on.
        for fate in ("inserted", "updated", "skipped", "rejected"):
            self._rows.labels(fate)

    def gauge(self, name: str, help_: str, value: Callable[[], float]) -> None:
        """Add a gauge whose value is computed on each scrape."""
        Gauge(name, help_, registry=self._registry).set_function(value)

    def uploaded(self, size: int) -> None:
        """Count a complete upload of ``size`` bytes."""
        self._upload_bytes.inc(size)

    def ended(self, outcome: str) -> None:
        """Count an upload that ended."""
        self._runs.labels(outcome).inc()

    def count(self, report: Report, rejected_before: int) -> None:
        """Count a run of an upload that ended with a report. The report includes the rejects of the upload's earlier
        runs."""
        stats = report.stats
        self._retries.inc(stats.retries)
        self._run_seconds.observe(stats.duration_seconds)
        if report.dry_run:
            return  # a dry run writes no rows
        self._rows.labels("inserted").inc(stats.inserted)
        self._rows.labels("updated").inc(stats.updated)
        self._rows.labels("skipped").inc(stats.skipped)
        if report.outcome == "already_imported":
            self._rows.labels("skipped").inc(stats.error_count)  # rejected by an earlier run, skipped by this one
        else:
            rejected = max(0, stats.error_count - rejected_before)
            self._rows.labels("rejected").inc(rejected)
            self._rejects.inc(rejected)
            self._run_rates.observe(stats.records_per_second)

    def answered(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """Count an answered request."""
        self._requests.labels(endpoint, method, str(status)).inc()
        self._request_seconds.labels(endpoint).observe(seconds)

    def exposition(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        return generate_latest(self._registry)
