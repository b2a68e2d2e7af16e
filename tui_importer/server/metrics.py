"""What Prometheus asks for: counters and histograms of runs and requests, and gauges of what goes on right now."""

from __future__ import annotations

from collections.abc import Callable

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from tui_importer.core.model.report import Report

#: Seconds: the smallest import takes half of one, a large one hours.
_RUN_SECONDS = (0.25, 0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200)
_REQUEST_SECONDS = (0.005, 0.02, 0.1, 0.5, 2, 10, 60, 600)
#: Rows per second, from row by row over a slow line to COPY on one machine.
_RATES = (10, 100, 1_000, 5_000, 20_000, 50_000, 100_000, 500_000)

CONTENT_TYPE = CONTENT_TYPE_LATEST


class Metrics:
    """All of them, in a registry of their own."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._runs = Counter("tui_importer_runs", "Uploads that ended.", ["outcome"], registry=registry)
        self._rows = Counter(
            "tui_importer_rows", "Rows of runs that ended, by their fate.", ["fate"], registry=registry
        )
        self._rejects = Counter("tui_importer_rejects", "Rows that were rejected.", registry=registry)
        self._retries = Counter("tui_importer_retries", "Tries after faults that may pass.", registry=registry)
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
        # So that a rate can be taken from the first one on.
        for fate in ("inserted", "updated", "skipped", "rejected"):
            self._rows.labels(fate)

    def gauge(self, name: str, help_: str, value: Callable[[], float]) -> None:
        """A number that is asked for when somebody wants to know."""
        Gauge(name, help_, registry=self._registry).set_function(value)

    def uploaded(self, size: int) -> None:
        """An upload of so many bytes is complete."""
        self._upload_bytes.inc(size)

    def ended(self, outcome: str) -> None:
        """An upload ended."""
        self._runs.labels(outcome).inc()

    def count(self, report: Report, rejected_before: int) -> None:
        """A run of an upload ended with a report, which counts the rejects of the upload's earlier runs once more."""
        stats = report.stats
        self._retries.inc(stats.retries)
        self._run_seconds.observe(stats.duration_seconds)
        if report.dry_run:
            return  # its rows went nowhere
        self._rows.labels("inserted").inc(stats.inserted)
        self._rows.labels("updated").inc(stats.updated)
        self._rows.labels("skipped").inc(stats.skipped)
        if report.outcome == "already_imported":
            self._rows.labels("skipped").inc(stats.error_count)  # an earlier run rejected them, this one passed over
        else:
            rejected = max(0, stats.error_count - rejected_before)
            self._rows.labels("rejected").inc(rejected)
            self._rejects.inc(rejected)
            self._run_rates.observe(stats.records_per_second)

    def answered(self, endpoint: str, method: str, status: int, seconds: float) -> None:
        """A request was answered."""
        self._requests.labels(endpoint, method, str(status)).inc()
        self._request_seconds.labels(endpoint).observe(seconds)

    def exposition(self) -> bytes:
        """All of them in Prometheus' text format."""
        return generate_latest(self._registry)
