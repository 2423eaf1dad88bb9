"""How clients of Kafka connect: the same for the consumer, the changelog and the outbox."""

import ssl
from typing import Any

from streams.settings import Settings


def connection(settings: Settings) -> dict[str, Any]:
    """Arguments for any aiokafka client: brokers, protocol, credentials and trusted certificates.

    Raises OSError or ssl.SSLError when the file of the certificate authority cannot be read.
    """
    options: dict[str, Any] = {"bootstrap_servers": settings.kafka_bootstrap, "security_protocol": settings.kafka_security}
    if settings.kafka_security.startswith("SASL"):
        options["sasl_mechanism"] = settings.kafka_sasl_mechanism
        options["sasl_plain_username"] = settings.kafka_user
        options["sasl_plain_password"] = settings.kafka_password.get_secret_value()
    if settings.kafka_security.endswith("SSL"):
        options["ssl_context"] = ssl.create_default_context(cafile=settings.kafka_ca_file)
    return options
