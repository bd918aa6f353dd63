"""What the HTTP face takes and gives, for machines: ``GET /openapi.json`` (OpenAPI 3.1)."""

from __future__ import annotations

from typing import Any, TypeAlias

from aiohttp import web

Schema: TypeAlias = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_NOT_ADMITTED = "The token is none of its."
_COUNT: Schema = {"type": "integer", "minimum": 0}


def routes() -> list[web.RouteDef]:
    """``/openapi.json``."""
    return [web.get("/openapi.json", _openapi)]


async def _openapi(_request: web.Request) -> web.Response:
    from spike_engine import __version__  # noqa: PLC0415 (the package loads its rooms)

    return web.json_response(description(__version__))


def description(version: str) -> Schema:
    """The whole description."""
    conversation = {
        "parameters": [{"name": "id", "in": "path", "required": True, "schema": _TEXT}],
        "delete": _operation(
            "End a conversation",
            {
                "204": "It is over.",
                "401": "The token is none of its.",
                "404": "There is none such.",
                "410": "It is over.",
            },
            secured=True,
        ),
    }
    return {
        "openapi": "3.1.0",
        "info": {"title": "spike-engine's conversation server", "version": version},
        "paths": {
            "/health": {"get": _operation("Whether the server lives", {"200": ("It does.", "Health")})},
            "/ready": {
                "get": _operation(
                    "Whether conversations are admitted",
                    {"200": ("They are.", "Ready"), "503": ("It drains.", "Ready")},
                )
            },
            "/metrics": {
                "get": _operation(
                    "Its figures for Prometheus",
                    {"200": "Figures.", "401": "The token is none.", "403": "Not from here."},
                    content_type="text/plain",
                )
            },
            "/conversations": {
                "post": _operation(
                    "Open a conversation",
                    {
                        "201": ("It is open.", "Invitation"),
                        "401": "The invitation is none.",
                        "413": "The body is too large.",
                        "503": "There is no room.",
                    },
                )
            },
            "/conversations/{id}": conversation,
            "/conversations/{id}/api/offer": {
                "parameters": conversation["parameters"],
                "post": _exchange("Join it", "Offer", ("What is answered.", "Answer"), {"503": "There is no room."}),
                "patch": _exchange("Name more candidates", "Candidates", ("They are tried.", "Status"), {}),
            },
        },
        "components": {"schemas": _SCHEMAS, "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}}},
    }


def _object(required: dict[str, Schema], **optional: Schema) -> Schema:
    return {"type": "object", "properties": required | optional, "required": list(required)}


_SCHEMAS: Schema = {
    "Error": _object({"error": _TEXT}),
    "Health": _object(
        {"status": {"enum": ["ok", "draining"]}, "conversations": _COUNT, "max_conversations": _COUNT},
    ),
    "Ready": _object({"free_places": _COUNT}),
    "Invitation": _object(
        {"conversation_id": _TEXT, "conversation_url": _TEXT, "token": _TEXT, "expires_at": {"type": "number"}},
        invitation=_TEXT,
    ),
    "Offer": _object(
        {"sdp": _TEXT, "type": {"const": "offer"}},
        pc_id={"type": ["string", "null"]},
        restart_pc={"type": "boolean"},
        requestData={"type": "object", "properties": {"token": _TEXT}},
    ),
    "Answer": _object({"sdp": _TEXT, "type": {"const": "answer"}, "pc_id": _TEXT}),
    "Candidates": _object(
        {
            "pc_id": _TEXT,
            "candidates": {
                "type": "array",
                "items": _object({"candidate": _TEXT}, sdp_mid=_TEXT, sdp_mline_index=_COUNT),
            },
        },
        requestData={"type": "object", "properties": {"token": _TEXT}},
    ),
    "Status": _object({"status": _TEXT}),
}


def _exchange(summary: str, body: str, success: tuple[str, str], more: dict[str, str | tuple[str, str]]) -> Schema:
    refusals: dict[str, str | tuple[str, str]] = {
        "400": "The body is not what is asked for.",
        "401": _NOT_ADMITTED,
        "404": "There is none such.",
        "410": "It is over.",
        "413": "The body is too large.",
    }
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{body}"}}}
    operation = _operation(summary, {"200": success} | refusals | more, secured=True)
    return operation | {"requestBody": {"required": True, "content": content}}


def _operation(
    summary: str,
    answers: dict[str, str | tuple[str, str]],
    *,
    secured: bool = False,
    content_type: str = "application/json",
) -> Schema:
    """An operation with what it answers, by status: a description, or one with its schema; refusals are errors."""
    always: dict[str, str | tuple[str, str]] = {
        "400": "The request is none.",
        "403": "Pages of this origin may not call.",
        "408": "It took too long.",
        "421": "The server is not called like this.",
    }
    responses = {status: _answer(status, answer, content_type) for status, answer in (always | answers).items()}
    return {"summary": summary, "responses": responses} | ({"security": [{"token": []}]} if secured else {})


def _answer(status: str, answer: str | tuple[str, str], content_type: str) -> Schema:
    text, name = answer if isinstance(answer, tuple) else (answer, "" if status < "300" else "Error")
    if status == "204":
        return {"description": text}
    if not name:
        return {"description": text, "content": {content_type: {"schema": _TEXT}}}
    schema = {"$ref": f"#/components/schemas/{name}"}
    return {"description": text, "content": {"application/json": {"schema": schema}}}
