"""TLS before a server that has none: the bytes of each connection, decrypted on the way in and encrypted on the way out."""

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HOST = "127.0.0.1"


def certificate(folder: Path) -> tuple[Path, Path]:
    """(certificate, key), which is its own authority. Skips the test where there is no openssl."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("there is no openssl to make a certificate with")
    cert, key = folder / "cert.pem", folder / "key.pem"
    subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=IP:127.0.0.1,DNS:localhost"]
    command = [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-keyout", key, "-out", cert, *subject]
    subprocess.run(command, check=True, capture_output=True)
    return cert, key


@contextmanager
def encrypted(port: int, made: tuple[Path, Path]) -> Iterator[int]:
    """The port at which TLS is spoken to the server at `port`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*made)
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server_reader, server_writer = await asyncio.open_connection(HOST, port)
        async with asyncio.TaskGroup() as both:
            both.create_task(_pass_on(reader, server_writer))
            both.create_task(_pass_on(server_reader, writer))

    async def listening() -> asyncio.Server:
        return await asyncio.start_server(connected, HOST, 0, ssl=context)

    server = asyncio.run_coroutine_threadsafe(listening(), loop).result()
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


async def _pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):  # either side may be gone
        while data := await reader.read(1 << 16):
            writer.write(data)
            await writer.drain()
    writer.close()
