"""The service over HTTP: typed requests and answers, one line for whatever is wrong."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from math import ceil
from typing import Annotated, Any

import pandas as pd
from fastapi import Depends, FastAPI, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, PlainTextResponse
from pydantic import ValidationError
from sqlalchemy.exc import DBAPIError, TimeoutError
from starlette.exceptions import HTTPException

from ...forecasters.errors import InputError, UnplayableError, one_line
from ..verbs import told
from . import access, messages
from .access import APPROVER, HERE, VIEWER, Caller, Rates
from .door import Door
from .metrics import Measured, Metrics
from .proposing import TOLD_AT_ONCE
from .questions import NotNow
from .refusals import Conflict, Unknown
from .service import MOST, Service

_DATE = Annotated[str | None, Query(max_length=32, description="first day of a period")]
_AFTER = Annotated[int, Query(ge=0, le=messages.LARGEST_ID, description="number of the last row known")]
_LIMIT = Annotated[int, Query(ge=1, le=MOST, description="rows of one answer")]
_STATUS = {Unknown: 404, Conflict: 409}
_ERRORS: dict[int | str, dict[str, Any]] = {
    status: {"model": messages.Fault, "description": said}
    for status, said in {
        400: "not readable",
        401: "no token",
        403: "the token's role does not do",
        404: "no such thing",
        409: "decided otherwise",
        413: "too large",
        422: "not what was expected",
        429: "too many requests",
        503: "not now",
    }.items()
}
_SALES = {
    "requestBody": {
        "required": True,
        "content": {
            "text/csv": {"schema": {"type": "string"}},
            "application/json": {
                "schema": {
                    "type": "object",
                    "required": ["rows"],
                    "properties": {
                        "rows": {"type": "array", "minItems": 1, "items": {"type": "object"}},
                    },
                }
            },
        },
    }
}


def application(service: Service, local: bool) -> Door:
    """The service as an ASGI application.

    Args:
        service: what answers.
        local: only this machine reaches it, and no token is asked for.
    """
    app = FastAPI(
        title="mercato",
        description="Prices and orders: proposed, approved, released, and recorded.",
        responses=_ERRORS,
    )
    app.state.service, app.state.local = service, local
    app.state.rates = Rates(service.settings.limits.requests, service.settings.limits.burst)
    app.state.metrics = Metrics(service)
    _faults(app)
    _routes(app, service)
    app.add_middleware(Measured, metrics=app.state.metrics)
    return Door(app, local, service.settings.limits.body)


def _named(service: Service, kind: str, token: str) -> Caller | None:
    """Whose token it is."""
    with service.database.read() as connection:
        return access.caller_of(connection, token.strip()) if kind.lower() == "bearer" else None


async def _caller(request: Request) -> Caller:
    """Who asks, once rate and token are checked."""
    app = request.app
    kind, _, token = request.headers.get("authorization", "").partition(" ")
    caller: Caller | None = HERE if app.state.local else None
    if token:
        caller = await run_in_threadpool(_named, app.state.service, kind, token)
    address = request.client.host if request.client is not None else ""
    wait = app.state.rates.allow(caller.name if caller is not None else f"from {address}")
    if wait:
        raise HTTPException(429, "expected fewer requests, found too many", {"retry-after": f"{ceil(wait)}"})
    if caller is None:
        said = "authorization: expected 'Bearer' and a token that holds, found none"
        raise HTTPException(401, said, {"www-authenticate": "Bearer"})
    return caller


def _who(role: str) -> Any:
    async def check(caller: Annotated[Caller, Depends(_caller)]) -> Caller:
        if not caller.may(role):
            raise HTTPException(403, f"role: expected {role}, found {caller.role}")
        return caller

    return Depends(check)


Viewer = Annotated[Caller, _who(VIEWER)]
Approver = Annotated[Caller, _who(APPROVER)]


def _routes(app: FastAPI, service: Service) -> None:
    """Every way to the service; what takes long runs beside, in a thread."""

    @app.post("/v1/sales", response_model=messages.Taken, openapi_extra=_SALES, tags=["sales"])
    async def sales(
        request: Request,
        caller: Approver,
        key: Annotated[str, Query(min_length=1, max_length=200, description="the client's own")],
    ) -> Any:
        """Take a table of sales in: CSV or JSON rows, whole or not at all, once a key."""
        body = await request.body()
        kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()

        def take() -> Any:
            return service.take_sales(caller.name, key, service.table(body, kind))

        return asdict(await run_in_threadpool(take))

    @app.post("/v1/decisions", response_model=messages.Sheet, tags=["decisions"])
    def propose(asked: messages.Propose, caller: Approver) -> Any:
        """Propose prices and orders for the period after the latest sales."""
        sheet = service.propose(caller.name, asked.date, asked.locations, asked.stock, asked.explain)
        return sheet if sheet["series"] <= TOLD_AT_ONCE else sheet | {"decisions": []}

    @app.get("/v1/decisions", response_model=messages.Decisions, tags=["decisions"])
    def decisions(
        caller: Viewer,
        status: Annotated[str | None, Query(max_length=16)] = None,
        date: _DATE = None,
        sheet: Annotated[int | None, Query(ge=1, le=messages.LARGEST_ID)] = None,
        after: _AFTER = 0,
        limit: _LIMIT = 1000,
    ) -> Any:
        """What was proposed, and what became of it."""
        return _page("decisions", "id", service.decisions(status, date, sheet, after, limit), after, limit)

    @app.get("/v1/decisions/{number}/why", response_model=messages.Why, tags=["decisions"])
    def why(number: messages.Number, caller: Viewer) -> Any:
        """What made the change of a price, in amounts that sum to it; it may take seconds."""
        return service.why(number)

    @app.post("/v1/decisions/{number}/approve", response_model=messages.Done, tags=["decisions"])
    def approve(number: messages.Number, asked: messages.Approve, caller: Approver) -> Any:
        """Release a proposal as it is; one that is held back needs a reason."""
        return {"decisions": service.approve(caller.name, [number], asked.reason)}

    @app.post("/v1/decisions/{number}/change", response_model=messages.Changed, tags=["decisions"])
    def change(number: messages.Number, asked: messages.Change, caller: Approver) -> Any:
        """Release another price or order than was proposed; where prices must have an ending, the nearest."""
        return {"decisions": 1} | service.change(caller.name, number, asked.price, asked.order, asked.reason)

    @app.post("/v1/decisions/{number}/reject", response_model=messages.Done, tags=["decisions"])
    def reject(number: messages.Number, asked: messages.Reject, caller: Approver) -> Any:
        """Release nothing: the current price stays."""
        return {"decisions": service.reject(caller.name, [number], asked.reason)}

    @app.post("/v1/sheets/{number}/approve", response_model=messages.Done, tags=["decisions"])
    def approve_sheet(number: messages.Number, asked: messages.Approve, caller: Approver) -> Any:
        """Release all of a sheet that waits for a decision and is not held back."""
        return {"decisions": service.approve_sheet(caller.name, number, asked.reason)}

    @app.get(
        "/v1/released",
        response_model=messages.Releases,
        responses={200: {"content": {"text/csv": {}}}},
        tags=["released"],
    )
    def released(
        request: Request,
        caller: Viewer,
        date: _DATE = None,
        after: _AFTER = 0,
        limit: _LIMIT = 1000,
    ) -> Any:
        """What the shop's system fetches: JSON, or CSV where `Accept: text/csv` asks for it."""
        page = _page("released", "id", service.released(date, after, limit), after, limit)
        if "text/csv" not in request.headers.get("accept", ""):
            return page
        whole = {"order": "Int64", "proposal": "Int64"}  # where one is empty, too
        rows = pd.DataFrame(page["released"], columns=list(messages.Released.model_fields)).astype(whole)
        heads = {"x-after": str(page["after"]), "x-more": str(page["more"]).lower()}
        return PlainTextResponse(rows.to_csv(index=False), media_type="text/csv", headers=heads)

    @app.get("/v1/forecast", response_model=messages.Forecasts, tags=["questions"])
    def forecast(
        caller: Viewer,
        location: Annotated[str | None, Query(max_length=500)] = None,
        item: Annotated[str | None, Query(max_length=500)] = None,
    ) -> Any:
        """Units of the periods after the latest sales: deciles of what customers want."""
        rows = service.forecast(location, item)
        named = rows.assign(date=rows["date"].astype(str).str[:10])
        deciles = {f"q0.{k}": f"q{k}0" for k in range(1, 10)}
        return {"forecasts": named.rename(columns=deciles).to_dict("records")}

    @app.post("/v1/whatif", tags=["questions"])
    def whatif(asked: messages.WhatIf, caller: Viewer) -> list[dict[str, Any]]:
        """What a scenario changes under each policy, with 95% intervals."""
        return service.whatif(asked.scenario, asked.policies, asked.episodes, asked.seed)

    @app.post("/v1/kill-switch", tags=["decisions"])
    def kill_switch(asked: messages.Switch, caller: Approver) -> dict[str, Any]:
        """On: withdraw what is open, and release the last approved prices until it is off again."""
        if asked.on:
            return service.kill(caller.name, asked.reason)
        service.resume(caller.name, asked.reason)
        return {}

    @app.get("/v1/audit", response_model=messages.Trail, tags=["audit"])
    def trail(caller: Approver, after: _AFTER = 0, limit: _LIMIT = 1000) -> Any:
        """Who did what, when, on which evidence."""
        return _page("entries", "seq", service.trail(after, limit), after, limit)

    @app.get("/health", tags=["service"])
    def health() -> dict[str, str]:
        """Whether the process answers."""
        return {"status": "up"}

    @app.get("/ready", tags=["service"])
    def ready() -> dict[str, Any]:
        """Whether a proposal can be made at once."""
        if not service.ready:
            raise HTTPException(503, "the market is still being read", {"retry-after": "5"})
        return {"status": "ready"}

    @app.get("/metrics", tags=["service"], response_class=PlainTextResponse)
    def metrics(request: Request, caller: Viewer) -> Any:
        """What Prometheus reads."""
        text, kind = request.app.state.metrics.text()
        return Response(text, media_type=kind)


def _page(
    name: str, number: str, rows: Sequence[Mapping[str, Any]], after: int, limit: int
) -> dict[str, Any]:
    return {name: rows, "after": rows[-1][number] if rows else after, "more": len(rows) == limit}


def _faults(app: FastAPI) -> None:
    """Whatever goes wrong becomes one line."""

    def answer(status: int, said: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
        return JSONResponse({"error": one_line(said)}, status, headers)

    @app.exception_handler(InputError)
    def _(_: Request, error: InputError) -> JSONResponse:
        status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 422)
        return answer(status, str(error))

    @app.exception_handler(RequestValidationError)
    def _(_: Request, error: RequestValidationError) -> JSONResponse:
        return answer(422, _first(error))

    @app.exception_handler(HTTPException)
    def _(_: Request, error: HTTPException) -> JSONResponse:
        return answer(error.status_code, str(error.detail), error.headers)

    @app.exception_handler(TimeoutError)
    def _(_: Request, error: TimeoutError) -> JSONResponse:
        return answer(503, "the database is busy", {"retry-after": "5"})

    @app.exception_handler(DBAPIError)
    def _(_: Request, error: DBAPIError) -> JSONResponse:
        return answer(503, f"the database does not answer: {error.orig}", {"retry-after": "5"})

    @app.exception_handler(NotNow)
    def _(_: Request, error: NotNow) -> JSONResponse:
        return answer(503, str(error), {"retry-after": "10"})

    @app.exception_handler(UnplayableError)
    def _(_: Request, error: UnplayableError) -> JSONResponse:
        return answer(422, str(error))

    @app.exception_handler(Exception)
    def _(_: Request, error: Exception) -> JSONResponse:
        return answer(500, told(error)[0])


def _first(error: RequestValidationError | ValidationError) -> str:
    """Where, what was expected, and what was found."""
    first = error.errors()[0]
    place = ".".join(str(part) for part in first["loc"] if part not in ("body", "query", "path"))
    if first["type"] == "json_invalid":
        return f"body: expected JSON, found that it is not: {first.get('ctx', {}).get('error', '')}"
    if first["type"] == "extra_forbidden":
        return f"{place}: no such field"
    found = "" if first["type"] == "missing" else f", found {first.get('input')!r:.60}"
    return f"{place or 'body'}: {first['msg'].removeprefix('Value error, ')}{found}"
