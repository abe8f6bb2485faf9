"""The documents of /swagger.json: the built-in model's input and output in Swagger 2.0, OpenAPI 3.0 and 3.1."""

from __future__ import annotations

import json
from typing import Any

_ROW: dict[str, Any] = {"type": "array", "items": {"type": "number"}}
_INPUT: dict[str, Any] = {
    "type": "object",
    "properties": {"data": {"type": "array", "items": _ROW}},
    "required": ["data"],
    "example": {"data": [[1.0, 2.0, 3.0]]},
}
_OUTPUT: dict[str, Any] = {
    "type": "object",
    "properties": {"result": {"type": "array", "items": {"type": "number"}}},
    "required": ["result"],
    "example": {"result": [3.0]},
}
_ABOUT = "One number per row: the sum of value k divided by k, k from 1."


def swagger_document(version: str, *, name: str, scoring_path: str, has_key: bool) -> bytes | None:
    """The document for `version` 2, 3 or 3.1 as JSON; None for any other version."""
    info = {"title": name, "version": "1.0", "description": "The built-in model of a local scoring endpoint."}
    if version == "2":
        return json.dumps(_swagger2(info, scoring_path, has_key)).encode()
    if version in ("3", "3.1"):
        return json.dumps(_openapi3(version, info, scoring_path, has_key)).encode()
    return None


def _swagger2(info: dict[str, str], scoring_path: str, has_key: bool) -> dict[str, Any]:
    body = {
        "name": "serviceInputPayload",
        "in": "body",
        "required": True,
        "schema": {"$ref": "#/definitions/ServiceInput"},
    }
    answer = {"description": "The predictions", "schema": {"$ref": "#/definitions/ServiceOutput"}}
    operation = {
        "operationId": "RunMLService",
        "description": _ABOUT,
        "consumes": ["application/json"],
        "produces": ["application/json"],
        "parameters": [body],
        "responses": {"200": answer, "default": {"description": "The request was not scored"}},
    }
    document: dict[str, Any] = {
        "swagger": "2.0",
        "info": info,
        "schemes": ["http"],
        "paths": {scoring_path: {"post": operation}},
        "definitions": {"ServiceInput": _INPUT, "ServiceOutput": _OUTPUT},
    }
    if has_key:
        document["securityDefinitions"] = {"Bearer": {"type": "apiKey", "name": "Authorization", "in": "header"}}
        document["security"] = [{"Bearer": []}]
    return document


def _openapi3(version: str, info: dict[str, str], scoring_path: str, has_key: bool) -> dict[str, Any]:
    def content(name: str) -> dict[str, Any]:
        return {"application/json": {"schema": {"$ref": f"#/components/schemas/{name}"}}}

    operation = {
        "operationId": "RunMLService",
        "description": _ABOUT,
        "requestBody": {"required": True, "content": content("ServiceInput")},
        "responses": {
            "200": {"description": "The predictions", "content": content("ServiceOutput")},
            "default": {"description": "The request was not scored"},
        },
    }
    components: dict[str, Any] = {"schemas": {"ServiceInput": _INPUT, "ServiceOutput": _OUTPUT}}
    document: dict[str, Any] = {
        "openapi": "3.1.0" if version == "3.1" else "3.0.3",
        "info": info,
        "paths": {scoring_path: {"post": operation}},
        "components": components,
    }
    if has_key:
        components["securitySchemes"] = {"Bearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"Bearer": []}]
    return document
