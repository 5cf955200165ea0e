"""The web application: routes for the page, the JSON interface and reports."""

from __future__ import annotations

import asyncio
import contextlib
import json
import re
import secrets
import socket
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..console import notice, printable
from ..errors import InputError
from ..extras import needs
from ..limits import MAX_JOBS, MAX_UPLOAD_BYTES
from ..report.file_names import upload_name
from ..shared import VERSION
from ..verdict.words import CAVEAT
from .guard import Guard, is_loopback
from .jobs import FINISHED, QUEUED, REPORT, UPLOADING, Job, JobStore
from .worker import JobRunner

TEMPLATES = Path(__file__).resolve().parent / "templates"
STATIC = {"serve.js": "text/javascript", "serve.css": "text/css"}
WATCH_SECONDS, BEAT_SECONDS, TIDY_SECONDS = 0.3, 15.0, 60.0
CHUNK = 1 << 20
_PAGE = re.compile(r"\w[\w.-]*")


@dataclass(frozen=True)
class ServeOptions:
    """What the flags of `--serve` say.

    Attributes:
        host, port: where it listens; port 0: any that is free.
        folder: of the jobs; weights, model_weights: of the set that judges.
        workers: jobs at the same time; max_upload: bytes of a file.
        keep_hours: how long a finished job stays.
        token: that everybody but this machine must know; empty: one is made where it is needed.
    """

    host: str
    port: int
    folder: Path
    weights: str
    model_weights: Path
    workers: int = 1
    max_upload: int = MAX_UPLOAD_BYTES
    keep_hours: float = 24.0
    token: str = ""


class TooLarge(Exception):
    """A file has more bytes than a file may have."""


def serve(options: ServeOptions) -> None:
    """Answers until it is interrupted.

    Raises:
        InputError: the extra `web` is not installed, the address or the folder cannot be used.
    """
    with needs("web", "--serve"):
        import uvicorn

    token = options.token or ("" if is_loopback(options.host) else secrets.token_urlsafe(16))
    listening = _listen(options.host, options.port)
    host, port = listening.getsockname()[:2]
    shown = f"[{host}]" if ":" in host else host
    app = make_app(options, token)
    config = uvicorn.Config(app, log_level="warning", access_log=False, timeout_graceful_shutdown=1)
    notice(f"open http://{shown}:{port}/{f'?token={token}' if token else ''} (Ctrl-C ends it)")
    with listening:
        uvicorn.Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises InputError where the address cannot be used."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listening = socket.socket(family, kind, protocol)
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen()  # who reads the address may ask at once
    except OSError as error:
        why = f"cannot be listened at ({error.strerror}); choose another --serve HOST:PORT"
        raise InputError(f"{host}:{port}: {why}") from None
    return listening


def make_app(options: ServeOptions, token: str = "") -> Guard:
    """The application, guarded; its jobs start with its lifespan.

    Raises:
        InputError: the folder cannot be written, or another server uses it.
    """
    from starlette.applications import Starlette
    from starlette.routing import Route

    pages = _Pages(options)
    routes = [
        Route("/", pages.page),
        Route("/static/{name}", pages.static),
        Route("/api/jobs", pages.list_jobs),
        Route("/api/jobs", pages.create, methods=["POST"]),
        Route("/api/jobs/{job_id}", pages.tell),
        Route("/api/jobs/{job_id}", pages.delete, methods=["DELETE"]),
        Route("/api/events", pages.events),
        Route("/reports/{job_id}/{name}", pages.report),
    ]
    handlers: dict[Any, Any] = {404: _not_found, 405: _not_found, 500: _failed}
    return Guard(
        Starlette(routes=routes, lifespan=pages.lifespan, exception_handlers=handlers), token
    )


class _Pages:
    """The answers; starlette is imported when one is asked."""

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._store = JobStore(options.folder)
        self._queue: asyncio.Queue[Job] = asyncio.Queue()
        self._runners = [
            JobRunner(self._store, options.weights, options.model_weights)
            for _ in range(options.workers)
        ]

    @contextlib.asynccontextmanager
    async def lifespan(self, _: object) -> AsyncIterator[None]:
        for job in self._store:
            if job.state == QUEUED:
                self._queue.put_nowait(job)
        tasks = [asyncio.create_task(runner.run(self._queue)) for runner in self._runners]
        tasks.append(asyncio.create_task(self._tidy()))
        try:
            yield
        finally:
            for runner in self._runners:
                runner.shutdown()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            self._store.close()

    async def _tidy(self) -> None:
        while True:
            self._store.remove_older(self._options.keep_hours * 3600)
            await asyncio.sleep(TIDY_SECONDS)

    async def page(self, _: Any) -> Any:
        from jinja2 import Environment, FileSystemLoader
        from starlette.responses import HTMLResponse

        environment = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True)
        hours = f"{self._options.keep_hours:g}"
        largest = f"{self._options.max_upload / (1 << 30):.3g} GiB"
        page = environment.get_template("serve.html.j2")
        return HTMLResponse(
            page.render(version=VERSION, caveat=CAVEAT, hours=hours, largest=largest)
        )

    async def static(self, request: Any) -> Any:
        from starlette.responses import FileResponse

        name = request.path_params["name"]
        if name not in STATIC:
            return _error(404, "no such page")
        return FileResponse(TEMPLATES / name, media_type=STATIC[name])

    async def list_jobs(self, _: Any) -> Any:
        before = self._queued()
        return _json({"jobs": [self._told(job, before) for job in self._store]})

    async def tell(self, request: Any) -> Any:
        job = self._store.get(request.path_params["job_id"])
        if job is None:
            return _error(404, "no such job")
        result = job.result() if job.state in FINISHED else None
        return _json(self._told(job, self._queued()) | {"result": result})

    def _queued(self) -> dict[str, int]:
        """Of each waiting job, how many are before it."""
        waiting = (job.id for job in self._store if job.state == QUEUED)
        return {job_id: number for number, job_id in enumerate(waiting)}

    def _told(self, job: Job, before: dict[str, int]) -> dict[str, Any]:
        return job.as_dict() | {"jobs_before": before.get(job.id)}

    async def delete(self, request: Any) -> Any:
        from starlette.responses import Response

        job = self._store.get(request.path_params["job_id"])
        if job is None:
            return _error(404, "no such job")
        for runner in self._runners:
            runner.give_up(job)
        self._store.remove(job)
        return Response(status_code=204)

    async def create(self, request: Any) -> Any:
        """One file: the body itself, named by `?name=`, or the file of a form."""
        from starlette.requests import ClientDisconnect

        if len(self._store) >= MAX_JOBS:
            return _error(503, f"there are {MAX_JOBS} jobs already; delete some")
        job = None
        try:
            announced = int(request.headers.get("content-length") or 0)
            if announced > self._options.max_upload + CHUNK:
                raise TooLarge
            name, chunks = await self._upload(request)
            job = self._store.new(printable(name)[:200], upload_name(name))
            await self._receive(job, chunks)
        except (TooLarge, ClientDisconnect, OSError, ValueError) as error:
            if job is not None:
                self._store.remove(job)
            return _upload_error(error, self._options.max_upload)
        job.state = QUEUED
        self._store.keep(job)
        self._queue.put_nowait(job)
        return _json(self._told(job, self._queued()), 201)

    async def _upload(self, request: Any) -> tuple[str, AsyncIterator[bytes]]:
        """The name of what is sent, and its bytes. Raises ValueError where there is no file."""
        if not request.headers.get("content-type", "").startswith("multipart/form-data"):
            return request.query_params.get("name") or "video", request.stream()
        from starlette.datastructures import UploadFile
        from starlette.exceptions import HTTPException

        request._receive = _limited(request._receive, self._options.max_upload + CHUNK)
        try:
            form = await request.form(max_files=1, max_fields=10)
        except HTTPException as error:
            raise ValueError(error.detail) from None
        sent = [part for part in form.values() if isinstance(part, UploadFile)]
        if not sent:
            raise ValueError("the form holds no file; send one")
        return sent[0].filename or "video", _read(sent[0])

    async def _receive(self, job: Job, chunks: AsyncIterator[bytes]) -> None:
        with job.upload.open("xb") as file:
            async for chunk in chunks:
                job.size += len(chunk)
                if job.size > self._options.max_upload:
                    raise TooLarge
                file.write(chunk)
        if not job.size:
            raise ValueError(f"{job.name}: the file is empty")

    async def events(self, request: Any) -> Any:
        """Server-sent events: first all jobs, then those that changed, as often as some do."""
        from starlette.responses import StreamingResponse

        async def changes() -> AsyncIterator[str]:
            seen, told = 0, 0.0
            while not await request.is_disconnected():
                changed, seen = self._store.changes_since(seen)
                changed = [one for one in changed if one["state"] != UPLOADING]
                if changed or not told:
                    yield f"data: {json.dumps({'all': not told, 'jobs': changed})}\n\n"
                    told = time.monotonic()
                elif time.monotonic() - told > BEAT_SECONDS:
                    told = time.monotonic()
                    yield ": still here\n\n"
                await asyncio.sleep(WATCH_SECONDS)

        return StreamingResponse(changes(), media_type="text/event-stream")

    async def report(self, request: Any) -> Any:
        from starlette.responses import FileResponse

        job, name = self._store.get(request.path_params["job_id"]), request.path_params["name"]
        if job is None or not _PAGE.fullmatch(name):
            return _error(404, "no such report")
        path = job.folder / REPORT / name
        if path.is_symlink() or not path.is_file():
            return _error(404, "no such report")
        # the page has a policy of its own, which names its script
        return FileResponse(path, headers={"content-security-policy": "frame-ancestors 'none'"})


def _limited(receive: Callable[[], Any], most: int) -> Callable[[], Any]:
    """The same messages of a request, as long as their bodies are no larger."""
    received = 0

    async def limited() -> Any:
        nonlocal received
        message = await receive()
        received += len(message.get("body", b""))
        if received > most:
            raise TooLarge
        return message

    return limited


async def _read(part: Any) -> AsyncIterator[bytes]:
    while chunk := await part.read(CHUNK):
        yield chunk


def _json(content: Any, status: int = 200) -> Any:
    from starlette.responses import JSONResponse

    return JSONResponse(content, status)


def _error(status: int, why: str) -> Any:
    return _json({"error": why}, status)


def _upload_error(error: Exception, most: int) -> Any:
    if isinstance(error, TooLarge):
        return _error(413, f"larger than {most} bytes; --max_upload allows more")
    if isinstance(error, OSError):
        return _error(507, f"cannot be stored ({error.strerror})")
    return _error(400, str(error) or "the upload was cut off")


async def _not_found(_: Any, error: Any) -> Any:
    return _error(error.status_code, "no such page")


async def _failed(_: Any, error: Exception) -> Any:
    return _error(500, f"{type(error).__name__}: {error}")
