"""How this project's own Kafka clients reach the brokers: one translation of the settings into aiokafka's arguments."""

import ssl
from typing import Any

from streams.settings import Settings

REQUEST_TIMEOUT_MS = 20_000


def client_options(settings: Settings) -> dict[str, Any]:
    """Arguments that producers, consumers and admin clients of aiokafka have in common."""
    encrypted = settings.kafka_security.endswith("SSL")
    options: dict[str, Any] = {
        "bootstrap_servers": settings.kafka_bootstrap,
        "client_id": "frontdesk",
        "request_timeout_ms": REQUEST_TIMEOUT_MS,
        "security_protocol": settings.kafka_security,
        "ssl_context": ssl.create_default_context(cafile=settings.kafka_ca_file) if encrypted else None,
    }
    if settings.kafka_security.startswith("SASL"):
        options |= {
            "sasl_mechanism": settings.kafka_sasl_mechanism,
            "sasl_plain_username": settings.kafka_user,
            "sasl_plain_password": settings.kafka_password.get_secret_value(),
        }
    return options
