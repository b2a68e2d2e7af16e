"""The OpenAPI document (3.1), generated from the types of requests and answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from tui_importer.core.model.plugin_values import PluginValue
from tui_importer.plugins.options import OptionSet, PluginOption
from tui_importer.plugins.registry import Registry
from tui_importer.server.answers import (
    ErrorAnswer,
    HealthAnswer,
    RejectsAnswer,
    RunAnswer,
    RunsAnswer,
    UndoAnswer,
    UploadAnswer,
    WatchAnswer,
    WatchesAnswer,
)
from tui_importer.server.intake import FIELD
from tui_importer.server.routes import LISTED, MOST_LISTED, WORKBOOK
from tui_importer.server.settings import Settings
from tui_importer.server.upload_options import UploadOptions, client_options

Json = dict[str, Any]

#: What each error status means.
_REFUSED = {
    400: "What was sent makes no sense; the error says which part.",
    401: "The token is missing or wrong.",
    403: "The Host or Origin header is that of another site.",
    404: "There is no such run, or no such folder is watched.",
    408: "The upload came too slowly.",
    409: "That cannot be done to the run as it stands, the run was stopped before its end, or a request with the same "
    "key is still coming in.",
    413: "The file is too large.",
    422: "The Idempotency-Key came with another request before.",
    429: "Too many uploads wait; Retry-After says how many seconds to wait.",
    500: "The run failed; the error says why.",
    503: "The database, or the server itself, cannot be used right now.",
    507: "There is no room for the upload.",
}
_UPLOAD_REFUSALS = (400, 408, 409, 413, 422, 429, 503, 507)


def openapi(settings: Settings, registry: Registry, version: str) -> bytes:
    """Return the document as JSON."""
    answers = (
        *(ErrorAnswer, HealthAnswer, RejectsAnswer, RunAnswer, RunsAnswer, UndoAnswer, UploadAnswer),
        *(WatchAnswer, WatchesAnswer),
    )
    types = (*answers, UploadOptions)
    _, components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
    options = components.pop("UploadOptions")
    specs = map(registry.strategy, registry.strategy_names())
    options["properties"]["method"]["enum"] = [name for spec in specs for name in (spec.name, *spec.aliases)]
    options["properties"]["workers"]["maximum"] = settings.max_workers
    del options["properties"]["plugin_options"]  # each is a parameter of its own
    for plugin in registry.options:
        given = settings.plan.options.plugin_options.get(plugin.plugin, {})
        for option in client_options(plugin):
            options["properties"][option.key] = _plugin_schema(plugin, option, given)
    document: Json = {
        "openapi": "3.1.0",
        "info": {
            "title": "tui-importer",
            "version": version,
            "description": "Spreadsheets into a database: every row, exactly once, each that could not go named.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "paths": _paths(_choices(options)),
        "components": {"schemas": components},
    }
    if settings.token is not None:
        document["components"]["securitySchemes"] = {"token": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"token": []}]
        document["paths"]["/health"]["get"]["security"] = []
        document["paths"]["/openapi.json"]["get"]["security"] = []
    return msgspec.json.encode(document)


def _plugin_schema(plugin: OptionSet, option: PluginOption, given: Mapping[str, PluginValue]) -> Json:
    """The schema of a plugin's option. Its default is the one that the server was ``given``; ``x-strategy`` names the
    strategy that it belongs to."""
    schema = dict(option.schema)
    if option.name in given:
        schema["default"] = given[option.name]
    if plugin.kind == "strategy":
        schema["x-strategy"] = plugin.plugin
    return schema


def _paths(options: list[Json]) -> Json:
    form = {
        "type": "object",
        "properties": {
            FIELD: {"type": "string", "format": "binary", "description": "xlsx, xlsm, xlsb, xls, ods, csv or tsv"}
        },
        "required": [FIELD],
        "additionalProperties": False,
    }
    upload = {
        "parameters": [*options, _IDEMPOTENCY],
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": form}}},
    }
    location = {"Location": {"description": "The run.", "schema": {"type": "string"}}}
    run = _ref("RunAnswer", "The run as it stands.")
    undo = _ref("UndoAnswer", "The rows that are, or were, taken out.")
    accepted = {**run, "headers": location}
    ended = _ref("UploadAnswer", "The run came to its end.")
    return {
        "/upload": {
            "post": _operation(
                "upload",
                "Import a file and wait for the result.",
                {200: ended, 202: accepted},
                (*_UPLOAD_REFUSALS, 500),
                **upload,
            )
        },
        "/health": {
            "get": _operation(
                "health",
                "Whether the server and its database answer.",
                {200: _ref("HealthAnswer", "Both do."), 503: _ref("HealthAnswer", "The database does not.")},
            )
        },
        "/runs": {
            "get": _operation(
                "listRuns",
                "The latest runs.",
                {200: _ref("RunsAnswer", "A page of them.")},
                (400,),
                parameters=[
                    _query("limit", {"type": "integer", "minimum": 1, "maximum": MOST_LISTED, "default": LISTED}),
                    _query("before", {"type": "string"}, "Runs older than the one of this id."),
                ],
            ),
            "post": _operation(
                "createRun", "Import a file in the background.", {202: accepted}, _UPLOAD_REFUSALS, **upload
            ),
        },
        "/runs/{id}": {
            "parameters": [_ID],
            "get": _operation("getRun", "One run.", {200: run}, (404,)),
            "delete": _operation(
                "deleteRun",
                "Forget a run that is not at work, with its file and its rejects.",
                {204: {"description": "It is gone."}},
                (404, 409),
            ),
        },
        "/runs/{id}/events": {
            "parameters": [_ID],
            "get": _operation(
                "followRun",
                "The run's events as they happen; `run` comes first and `end` last, each with the run as it stands.",
                {
                    200: {"description": "Events.", "content": {"text/event-stream": {"schema": _EVENT}}},
                    204: {"description": "The client has them all."},
                },
                (400, 404),
                parameters=[
                    _query(
                        "rejects", {"type": "boolean", "default": False}, "Send an event for each rejected row, too."
                    ),
                    {
                        "name": "Last-Event-ID",
                        "in": "header",
                        "description": "Go on after this event.",
                        "schema": {"type": "string"},
                    },
                ],
            ),
        },
        "/runs/{id}/rejects": {
            "parameters": [_ID],
            "get": _operation(
                "getRejects",
                "All rows that could not go, with their reasons.",
                {
                    200: {
                        "description": "As JSON, or as a workbook to mend and send again.",
                        "content": {
                            "application/json": {"schema": {"$ref": "#/components/schemas/RejectsAnswer"}},
                            WORKBOOK: {"schema": {"type": "string", "format": "binary"}},
                        },
                    }
                },
                (400, 404, 507),
                parameters=[
                    _query("format", {"enum": ["json", "xlsx"]}, "By default what Accept asks for, else JSON.")
                ],
            ),
        },
        "/runs/{id}/undo": {
            "parameters": [_ID],
            "get": _operation(
                "previewUndo", "What undoing the run would take back.", {200: undo}, (400, 404, 409, 503)
            ),
            "post": _operation(
                "undoRun",
                "Take out of the table what the run has put in.",
                {200: undo},
                (400, 404, 409, 503),
                parameters=[
                    _query(
                        "rows",
                        {"type": "integer", "minimum": 0},
                        "The number of rows that the preview says; with any other, nothing is changed.",
                    )
                    | {"required": True}
                ],
            ),
        },
        **{
            f"/runs/{{id}}/{word}": {
                "parameters": [_ID],
                "post": _operation(f"{word}Run", summary, {202: run}, (404, 409, *more)),
            }
            for word, summary, more in (
                ("pause", "Finish the batches in flight and start no more.", ()),
                ("unpause", "Start batches of a paused run again.", ()),
                ("stop", "Finish the batches in flight and stop.", ()),
                ("abort", "Stop, and roll back the batches in flight.", ()),
                ("resume", "Resume a run that was stopped or failed.", (429,)),
                ("cancel", "Deprecated: stop; asked again, abort.", ()),
            )
        },
        "/watches": {
            "get": _operation(
                "listWatches",
                "The folders that the server watches, whose files are imported like uploads.",
                {200: _ref("WatchesAnswer", "All of them.")},
                (400,),
            )
        },
        **{
            f"/watches/{{name}}/{word}": {
                "parameters": [_NAME],
                "post": _operation(
                    f"{word}Watch",
                    summary,
                    {200: _ref("WatchAnswer", "The folder as it stands.")},
                    (400, 404, 507),
                ),
            }
            for word, summary in (
                ("pause", "Take no further files of a folder; a run in hand goes on."),
                ("unpause", "Take files of a folder again."),
            )
        },
        "/metrics": {
            "get": _operation(
                "metrics",
                "For Prometheus.",
                {200: {"description": "Text format.", "content": {"text/plain": {"schema": {"type": "string"}}}}},
            )
        },
        "/openapi.json": {
            "get": _operation(
                "openapi",
                "This document.",
                {200: {"description": "OpenAPI.", "content": {"application/json": {"schema": {"type": "object"}}}}},
            )
        },
    }


_EVENT: Json = {
    "description": "Each event; data is JSON.",
    "type": "object",
    "properties": {"id": {"type": "string"}, "event": {"type": "string"}, "data": {"type": "string"}},
    "required": ["event", "data"],
}
_ID: Json = {
    "name": "id",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1, "pattern": "^[A-Za-z0-9-]+$"},
    "description": "The run's `id`, or one of its `run_ids`.",
}
_NAME: Json = {
    "name": "name",
    "in": "path",
    "required": True,
    "schema": {"type": "string", "minLength": 1},
    "description": "The folder's `name`.",
}
_IDEMPOTENCY: Json = {
    "name": "Idempotency-Key",
    "in": "header",
    "schema": {"type": "string", "pattern": '^"?[!#-~]{1,255}"?$'},
    "description": "A request with a key that came before is answered with the upload of that one.",
}


def _operation(id_: str, summary: str, answers: dict[int, Json], refusals: tuple[int, ...] = (), **more: Any) -> Json:
    refused = {status: _ref("ErrorAnswer", _REFUSED[status]) for status in (401, 403, *refusals)}
    if 429 in refused:
        refused[429] = {
            **refused[429],
            "headers": {"Retry-After": {"required": True, "schema": {"type": "integer", "minimum": 1}}},
        }
    responses = {str(status): answer for status, answer in sorted((refused | answers).items())}
    return {"operationId": id_, "summary": summary, **more, "responses": responses}


def _ref(name: str, description: str) -> Json:
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": description, "content": {"application/json": {"schema": schema}}}


def _query(name: str, schema: Json, description: str = "") -> Json:
    return {"name": name, "in": "query", "schema": schema, "description": description}


def _choices(schema: Json) -> list[Json]:
    """Return a query parameter for each field that a client may set."""
    return [_query(name, field, field.pop("description", "")) for name, field in schema["properties"].items()]
