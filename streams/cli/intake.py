"""`frontdesk intake`: events by web request, for systems that do not speak Kafka."""

# ruff: noqa: PLC0415 - so that --help is instant

from streams.cli.options import Folder


def intake(folder: Folder = None) -> int:
    """Take CloudEvents over HTTP (POST /events) and answer when Kafka has them, until it is stopped.

    It keeps nothing, so start as many as are needed behind a balancer. Without FRONTDESK_INTAKE_TOKENS it serves this machine
    only; `frontdesk token create` lets others in. SIGHUP reads the tokens again; SIGTERM answers what is under way, then ends.
    """
    from streams.cli.configuration import load_settings
    from streams.intake.process import run_intake
    from streams.log import configure_logging

    settings = load_settings(folder)
    configure_logging(settings.log_format)
    return run_intake(settings)
