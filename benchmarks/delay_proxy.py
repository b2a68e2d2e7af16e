"""A TCP proxy that delays whatever it passes on, to measure against a database that is far away.

``python -m benchmarks.delay_proxy SOCKET MILLISECONDS`` listens on a free port of this machine, prints it, and passes
connections on to a Unix socket. A round trip takes the given time longer, half of it each way. Only time is added:
chunks wait in a queue with the moment when they are due, so a connection carries as much as without the proxy.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress

#: The most bytes that are passed on at once.
_CHUNK = 1 << 20


@contextmanager
def delayed(socket: str, milliseconds: float) -> Iterator[int]:
    """Run the proxy as a process of its own; yields its port."""
    command = [sys.executable, "-m", "benchmarks.delay_proxy", socket, str(milliseconds)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield int(process.stdout.readline())
        finally:
            process.terminate()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, seconds: float) -> None:
    """Pass on each chunk when it is due, and the end of the stream last."""
    loop, waiting = asyncio.get_running_loop(), asyncio.Queue[tuple[float, bytes]]()

    async def send() -> None:
        while True:
            due, chunk = await waiting.get()
            if (left := due - loop.time()) > 0:
                await asyncio.sleep(left)
            if not chunk:
                writer.write_eof()
                return
            writer.write(chunk)
            await writer.drain()

    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(send())
        while chunk := await reader.read(_CHUNK):
            waiting.put_nowait((loop.time() + seconds, chunk))
        waiting.put_nowait((loop.time() + seconds, b""))


async def _serve(socket: str, milliseconds: float) -> None:
    one_way = milliseconds / 2_000

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_unix_connection(socket, limit=_CHUNK)
        try:
            with suppress(OSError, ExceptionGroup):  # either end may be gone
                async with asyncio.TaskGroup() as tasks:
                    tasks.create_task(_pass_on(reader, far_writer, one_way))
                    tasks.create_task(_pass_on(far_reader, writer, one_way))
        finally:
            far_writer.close()
            writer.close()

    server = await asyncio.start_server(connected, "127.0.0.1", 0, limit=_CHUNK)
    print(server.sockets[0].getsockname()[1], flush=True)
    async with server:
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(_serve(sys.argv[1], float(sys.argv[2])))
