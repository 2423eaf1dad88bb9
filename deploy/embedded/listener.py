"""The doors of the embedded Kafka: plain, and where asked for with a password (SASL/PLAIN), with TLS, or with both.

The plain one is always there, for whoever started the server. The others show clients that a real cluster's settings work; their
certificate is self-signed, made by the runtime's keytool for the loopback address, and clients trust it as their authority.
"""

import secrets
import subprocess
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from deploy.embedded import Unavailable
from deploy.embedded.java import environment, keytool
from deploy.embedded.port import HOST

Protocol = Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]
CONTROLLER = "CONTROLLER"
"""The name of the listener by which the broker finds itself as its own controller."""

DAYS_VALID = 3650


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate: the key store that Kafka reads and its password, and the PEM file that clients trust."""

    store: Path
    password: str
    authority: Path


def certificate(folder: Path) -> Certificate:
    """Have a certificate for 127.0.0.1 and localhost in `folder`; the one made before is kept."""
    folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    made = Certificate(folder / "kafka.p12", _password(folder / "password"), folder / "authority.pem")
    if not made.authority.exists():
        made.store.unlink(missing_ok=True)
        _keytool(
            made,
            *("-genkeypair", "-keyalg", "EC", "-groupname", "secp256r1", "-validity", str(DAYS_VALID)),
            *("-dname", "CN=localhost", "-ext", f"san=ip:{HOST},dns:localhost"),
        )
        _keytool(made, "-exportcert", "-rfc", "-file", str(made.authority))
    return made


def properties(
    ports: Mapping[str, int], users: Mapping[str, str], made: Certificate | None, advertised: Mapping[str, int] | None = None
) -> dict[str, str]:
    """Give Kafka's settings for listeners on these ports: protocol (or CONTROLLER) -> port; users: name -> password.

    `advertised` are ports that clients are told instead, where something in between forwards them.
    """
    protocols = [name for name in ports if name != CONTROLLER]
    return {
        "listeners": _addresses(ports, ports),
        "advertised.listeners": _addresses(protocols, {**ports, **(advertised or {})}),
        "listener.security.protocol.map": ",".join(f"{name}:{'PLAINTEXT' if name == CONTROLLER else name}" for name in ports),
        "controller.listener.names": CONTROLLER,
        "inter.broker.listener.name": "PLAINTEXT",
        **_sasl([name for name in protocols if name.startswith("SASL")], users),
        **(_tls(made) if made else {}),
    }


def _addresses(names: Iterable[str], ports: Mapping[str, int]) -> str:
    return ",".join(f"{name}://{HOST}:{ports[name]}" for name in names)


def _sasl(protocols: Iterable[str], users: Mapping[str, str]) -> dict[str, str]:
    accounts = " ".join(f'user_{name}="{password}"' for name, password in users.items())
    login = f"org.apache.kafka.common.security.plain.PlainLoginModule required {accounts};"
    return {f"listener.name.{name.lower()}.plain.sasl.jaas.config": login for name in protocols} | {"sasl.enabled.mechanisms": "PLAIN"}


def _tls(made: Certificate) -> dict[str, str]:
    return {
        "ssl.keystore.type": "PKCS12",
        "ssl.keystore.location": str(made.store),
        "ssl.keystore.password": made.password,
        "ssl.key.password": made.password,
    }


def _password(file: Path) -> str:
    if not file.exists():
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(16))
    return file.read_text()


def _keytool(made: Certificate, command: str, *arguments: str) -> None:
    store = (
        "-alias",
        "kafka",
        "-keystore",
        str(made.store),
        "-storetype",
        "PKCS12",
        "-storepass:file",
        str(made.store.with_name("password")),
    )
    done = subprocess.run(  # noqa: S603  (the runtime's own program, with arguments made here)
        [str(keytool()), command, *arguments, *store], capture_output=True, text=True, env=environment(), check=False
    )
    if done.returncode:
        raise Unavailable(f"cannot make a certificate in {made.store.parent}: {(done.stdout or done.stderr).strip()}")
