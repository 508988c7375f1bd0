"""From failures to HTTP answers: the LMOS runtime's table, `{"errorCode", "message"}`. One log line, no traceback."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from lmos.conversation.errors import InvalidRequest, PlatformError, TurnError
from lmos.database.base import DatabaseError
from lmos.operator.base import StoreError
from lmos.server.wire import ErrorBody
from lmos.telemetry import names
from lmos.telemetry.logs import logger

__all__ = ["STORAGE_FAILED", "error_response", "install_error_handlers"]

STORAGE_FAILED: Final = "the platform's storage failed; try again later"

_log = logger("server")
_MAX_PROBLEMS = 5


def error_response(code: str, message: str, status: int, headers: Mapping[str, str] | None = None) -> Response:
    """The error body of every REST call."""
    return JSONResponse(ErrorBody(error_code=code, message=message).model_dump(by_alias=True), status, headers)


def install_error_handlers(app: FastAPI) -> None:
    """Answer every failure of `app` in the error format."""

    @app.exception_handler(TurnError)
    async def turn_error(_request: Request, error: TurnError) -> Response:
        return error_response(error.code, str(error), error.status)

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        message = _problems(error.errors())
        _log.info(names.EVENT_REQUEST_REFUSED, path=request.url.path, error=message)
        return error_response(InvalidRequest.code, message, 400)

    @app.exception_handler(HTTPException)
    async def http_error(_request: Request, error: HTTPException) -> Response:
        code = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}.get(error.status_code, InvalidRequest.code)
        if error.status_code >= 500:
            code = PlatformError.code
        headers = dict(error.headers or {})
        if headers.get("Allow") == "GET":
            headers["Allow"] = "GET, HEAD"  # see `server.methods`
        return error_response(code, str(error.detail), error.status_code, headers)

    @app.exception_handler(StoreError)
    @app.exception_handler(DatabaseError)
    async def storage_error(request: Request, error: Exception) -> Response:
        _log.error(names.EVENT_STORAGE_FAILED, path=request.url.path, error=str(error))
        return error_response(PlatformError.code, STORAGE_FAILED, 500)

    @app.exception_handler(Exception)
    async def crash(_request: Request, error: Exception) -> Response:
        # The server logs it, with its traceback.
        return error_response(PlatformError.code, f"the platform failed ({type(error).__name__}); see its log", 500)


def _problems(errors: Sequence[Any]) -> str:
    """`field: what is wrong` for the first few problems; values are not repeated, they may be secrets."""
    shown = [f"{'.'.join(str(part) for part in e['loc'])}: {e['msg']}" for e in errors[:_MAX_PROBLEMS]]
    more = len(errors) - len(shown)
    return "; ".join(shown) + (f"; and {more} more" if more > 0 else "")
