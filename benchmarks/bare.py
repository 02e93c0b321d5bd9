"""The floor of accepting uploads: two files, a row and a message for each request, and no more.

    BARE_FOLDER=… BARE_BROKER=redis://… python -m uvicorn benchmarks.bare:app

It checks nothing, promises nothing and knows nobody. Its writes are as safe as ours: files appear whole, the row is
committed.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from pathlib import Path
from uuid import uuid4

import redis
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

_FOLDER = Path(os.environ["BARE_FOLDER"])
_BROKER = redis.Redis.from_url(os.environ["BARE_BROKER"])
_local = threading.local()


def _records() -> sqlite3.Connection:
    if not hasattr(_local, "connection"):
        connection = _local.connection = sqlite3.connect(_FOLDER / "bare.db", timeout=10.0)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("CREATE TABLE IF NOT EXISTS tasks (id TEXT PRIMARY KEY, source TEXT, target TEXT)")
    found: sqlite3.Connection = _local.connection
    return found


def _keep(photos: dict[str, bytes]) -> str:
    task = uuid4().hex
    for role, data in photos.items():
        folder = _FOLDER / task / role
        folder.mkdir(parents=True)
        (folder / "part").write_bytes(data)
        (folder / "part").rename(folder / "photo")
    with _records() as connection:
        connection.execute("INSERT INTO tasks VALUES (?, ?, ?)", (task, "source", "target"))
    _BROKER.lpush("bare", task)
    return task


async def _fuse(request: Request) -> JSONResponse:
    async with request.form() as form:
        photos = {role: await part.read() for role, part in form.items() if isinstance(part, UploadFile)}
    return JSONResponse({"task_id": await run_in_threadpool(_keep, photos)}, status_code=202)


app = Starlette(routes=[Route("/v1/fuse", _fuse, methods=["POST"])])
