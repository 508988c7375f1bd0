"""A Starlette endpoint that reads a body and answers: what the server stack itself can do."""

from __future__ import annotations

import argparse
import asyncio

import uvloop
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from lmos.server.health import health_routes
from lmos.server.serve import listen, serving


async def raw(request: Request) -> JSONResponse:
    await request.body()
    return JSONResponse({"content": "hi", "anonymizationEntities": []})


async def main(port: int) -> None:
    app = Starlette(routes=[Route("/raw", raw, methods=["POST"]), *health_routes(list)])
    async with serving(app, listen("127.0.0.1", port)):
        await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    uvloop.run(main(parser.parse_args().port))
