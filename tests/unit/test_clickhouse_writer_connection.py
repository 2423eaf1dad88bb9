"""Where ClickHouse is, as the driver is told."""

from pathlib import Path

from sinks.clickhouse.connection import ClickHouse

SERVER = ClickHouse(host="db.example", port=9440, user="desk", password="not-shown", secure=True, ca_file=Path("ca.pem"))


def test_user_database_and_tls_are_passed_on() -> None:
    connection = SERVER.connect().connection
    assert (connection.hosts[0], connection.user, connection.password, connection.database) == (
        ("db.example", 9440),
        "desk",
        "not-shown",
        "frontdesk",
    )
    assert connection.secure_socket
    assert connection.verify_cert
    assert connection.ssl_options["ca_certs"] == "ca.pem"


def test_without_tls_nothing_of_it_is_used() -> None:
    connection = ClickHouse().connect().connection
    assert not connection.secure_socket
    assert connection.hosts[0] == ("127.0.0.1", 9000)


def test_a_certificate_may_be_accepted_unseen() -> None:
    assert not ClickHouse(secure=True, verify=False).connect().connection.verify_cert


def test_the_password_is_in_no_log() -> None:
    assert "not-shown" not in repr(SERVER)
    assert repr(SERVER) == "ClickHouse(desk@db.example:9440/frontdesk, TLS)"
