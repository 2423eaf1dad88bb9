"""TLS before a server that has none: the bytes of each connection, decrypted on the way in and encrypted on the way out."""

import select
import shutil
import socket
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

HOST = "127.0.0.1"
PIECE = 1 << 16


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
    with socket.create_server((HOST, 0)) as door:
        threading.Thread(target=_accept, args=(door, context, port), daemon=True).start()
        try:
            yield door.getsockname()[1]
        finally:
            door.shutdown(socket.SHUT_RDWR)


def _accept(door: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with suppress(OSError):  # the door is shut
        while True:
            threading.Thread(target=_serve, args=(door.accept()[0], context, port), daemon=True).start()


def _serve(accepted: socket.socket, context: ssl.SSLContext, port: int) -> None:
    with (
        suppress(OSError),
        accepted,
        context.wrap_socket(accepted, server_side=True) as client,
        socket.create_connection((HOST, port)) as server,
    ):
        other = {client: server, server: client}
        while True:
            for ready in [client] if client.pending() else select.select([client, server], [], [])[0]:
                if not (data := ready.recv(PIECE)):
                    return
                other[ready].sendall(data)
