"""What Prometheus reads of a service: requests, and where decisions stand."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from sqlalchemy import func, select

from ..page.access import App, Receive, Scope, Send
from . import ledger
from .records import STATUSES, batches, releases
from .service import Service

_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")  # a caller may make up others
_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 60)


class Metrics:
    """The numbers of one process, and of the database that all share."""

    def __init__(self, service: Service) -> None:
        self._service, self._registry = service, CollectorRegistry()
        labels = ("method", "route", "status")
        self._requests = Counter("mercato_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "mercato_request_seconds",
            "Time to answer.",
            ("route",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._decisions = Gauge(
            "mercato_decisions", "Proposals by what became of them.", ("status",), registry=self._registry
        )
        self._gauges = {
            name: Gauge(f"mercato_{name}", said, registry=self._registry)
            for name, said in {
                "released": "Decisions released.",
                "sales_batches": "Tables of sales taken in.",
                "kill_switch": "1 while the kill switch is on.",
                "ready": "1 where a proposal can be made at once.",
            }.items()
        }

    def answered(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request that was answered, and how long that took."""
        known = method if method in _METHODS else "other"
        self._requests.labels(known, route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def text(self) -> tuple[bytes, str]:
        """What is to be told, and its content type."""
        with self._service.database.read() as connection:
            counts = ledger.counts(connection)
            for name, table in (("released", releases), ("sales_batches", batches)):
                self._gauges[name].set(
                    connection.execute(select(func.count()).select_from(table)).scalar_one()
                )
        for status in STATUSES:
            self._decisions.labels(status).set(counts.get(status, 0))
        self._gauges["kill_switch"].set(self._service.killed() is not None)
        self._gauges["ready"].set(self._service.ready)
        return generate_latest(self._registry), CONTENT_TYPE_LATEST


@dataclass(frozen=True)
class Measured:
    """An ASGI application whose requests are counted and timed, whatever becomes of them."""

    app: App
    metrics: Metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        began, status = time.perf_counter(), 500

        async def heard(message: Any) -> None:
            nonlocal status
            status = message.get("status", status)
            await send(message)

        try:
            await self.app(scope, receive, heard)
        finally:
            route = getattr(scope.get("route"), "path", "other")
            self.metrics.answered(scope["method"], route, status, time.perf_counter() - began)
