"""`frontdesk intake`: events by web request, for systems that do not speak Kafka."""

# ruff: noqa: PLC0415 - so that --help is instant

from streams.terminal.options import Folder, Host, Port


def intake(host: Host = None, port: Port = None, folder: Folder = None) -> int:
    """Take CloudEvents over HTTP (POST /events) and answer when Kafka has them, until it is stopped.

    Listens on FRONTDESK_INTAKE_HOST and FRONTDESK_INTAKE_PORT, or where --host and --port say. It keeps nothing, so start as many as
    are needed behind a balancer. Without FRONTDESK_INTAKE_TOKENS it serves this machine only; `frontdesk token create` lets others in.
    SIGHUP reads the tokens again; SIGTERM answers what is under way, then ends.
    """
    from streams.intake.process import run_intake
    from streams.log import configure_logging
    from streams.terminal.configuration import load_settings

    settings = load_settings(folder, intake_host=host, intake_port=port)
    configure_logging(settings.log_format)
    return run_intake(settings)
