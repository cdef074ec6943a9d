"""A partner's receiver as a separate process, whose behaviour is chosen by the URL: ``python receiver.py NOTES``.

The path lists one behaviour for each request; the last one is repeated: ``/fail,fail,ok``. The process prints its port
and writes a line of JSON for everything that happens.
"""

from __future__ import annotations

import asyncio
import json
import socket
import struct
import sys
from collections import Counter
from email.utils import formatdate
from pathlib import Path
from typing import Any

MEBIBYTE = b"x" * 1024 * 1024


class Receiver:
    def __init__(self, notes: Path) -> None:
        self.notes, self.asked = notes, Counter[str]()

    def note(self, **what: Any) -> None:
        with self.notes.open("a") as file:
            file.write(json.dumps(what) + "\n")

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await self.answer(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            self.note(what="hung up")
        finally:
            writer.close()

    async def answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        path = head[0].split(" ")[1]
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        behaviours = path.partition("?")[0].rpartition("/")[2].split(",")
        behaviour = behaviours[min(self.asked[path], len(behaviours) - 1)]
        self.asked[path] += 1
        self.note(what="asked", path=path, headers=headers, body=body.decode())
        await getattr(self, behaviour)(reader, writer, path)
        await writer.drain()

    async def ok(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        respond(writer, "204 No Content")

    async def fail(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        respond(writer, "500 Internal Server Error")

    async def gone(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        respond(writer, "410 Gone")

    async def busy(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        respond(writer, "429 Too Many Requests", "Retry-After: 7200")

    async def rest(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        respond(writer, "429 Too Many Requests", "Retry-After: 1")

    async def taken(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        body = b'{"receipt": "taken"}'
        writer.write(b"HTTP/1.1 202 Accepted\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" % len(body) + body)

    async def closed(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        respond(writer, "503 Service Unavailable", f"Retry-After: {formatdate(4_000_000_000, usegmt=True)}")

    async def redirect(self, _reader: Any, writer: asyncio.StreamWriter, path: str) -> None:
        respond(writer, "302 Found", f"Location: {path.partition('?')[2]}")

    async def hang(self, reader: asyncio.StreamReader, _writer: Any, _path: str) -> None:
        await reader.read()
        self.note(what="left alone")

    async def late(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        await asyncio.sleep(0.5)
        respond(writer, "200 OK")

    async def too_late(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, _path: str) -> None:
        await reader.read()
        respond(writer, "200 OK")
        self.note(what="answered when nobody listened")

    async def reset(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        wire: socket.socket = writer.get_extra_info("socket")
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    async def flood(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {64 * len(MEBIBYTE)}\r\n\r\n".encode())
        written = 0
        try:
            for _ in range(64):
                writer.write(MEBIBYTE)
                await writer.drain()
                written += 1
        finally:
            self.note(what="flooded", mebibytes=written)

    async def headers(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n")
        while True:
            writer.write(b"X-More: " + MEBIBYTE[:1000] + b"\r\n")
            await writer.drain()

    async def drip(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.05)

    async def nonsense(self, _reader: Any, writer: asyncio.StreamWriter, _path: str) -> None:
        writer.write(b"\x00\xff SMTP ready\r\n\r\n")


def respond(writer: asyncio.StreamWriter, status: str, *headers: str) -> None:
    lines = [f"HTTP/1.1 {status}", "Content-Length: 0", "Connection: close", *headers]
    writer.write("\r\n".join([*lines, "", ""]).encode())


async def main(notes: Path) -> None:
    server = await asyncio.start_server(Receiver(notes).serve, "127.0.0.1", 0)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
