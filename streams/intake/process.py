"""One intake from its settings to its exit code."""

import asyncio
import signal
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Final

import structlog
from aiohttp import web
from prometheus_client import CollectorRegistry

from events.directory_mistake import DirectoryError
from sinks.intake_metrics import IntakeMetrics
from streams.clock import WallClock
from streams.directory import directory_of
from streams.host import is_loopback
from streams.http import Policy
from streams.intake.authentication import Authentication
from streams.intake.handler import IntakeHandler
from streams.intake.hook import hooks_of
from streams.intake.kafka_link import KafkaLink
from streams.intake.memory_budget import MemoryBudget
from streams.intake.register import Register, register_of
from streams.intake.server import HttpServer
from streams.intake.token_file import TokenFileError
from streams.settings import Settings

DRAINED_WITHIN_S: Final = 20.0
MIB: Final = 1 << 20

log = structlog.get_logger("intake")


def run_intake(settings: Settings) -> int:
    """Take events until SIGTERM or SIGINT; 0 then. Raises what kept it from starting."""
    return asyncio.run(_run(settings))


async def _run(settings: Settings) -> int:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    register = _register(settings)
    link = KafkaLink(settings, directory_of(settings).allows)
    metrics, budget = IntakeMetrics(CollectorRegistry()), MemoryBudget(settings.intake_memory_mib * MIB)
    handler = IntakeHandler(
        authentication=Authentication(register),
        policy=Policy(settings.allowed_hosts),
        link=link,
        budget=budget,
        metrics=metrics,
        clock=WallClock(),
        connections=lambda: len(server.connections),
        hooks=hooks_of(settings),
    )
    server = HttpServer(handler.handle, handler.refused, handler.overcrowded)
    loop.add_signal_handler(signal.SIGHUP, lambda: _read_again(settings, handler, link, metrics))
    async with AsyncExitStack() as stack:
        stack.push_async_callback(_ended, asyncio.create_task(link.run()))
        port = await _listen(stack, server, settings)
        log.info("intake starts", host=settings.intake_host, port=port, tokens=None if register is None else len(register.grants))
        await stop.wait()
        handler.stopping = True
        log.info("intake drains", connections=len(server.connections))
    log.info("intake stopped")
    return 0


def _register(settings: Settings) -> Register | None:
    """Who may publish. Raises `TokenFileError` where nobody is named and others than this machine could come."""
    if settings.intake_tokens is not None:
        return register_of(settings.intake_tokens)
    if not is_loopback(settings.intake_host):
        raise TokenFileError(
            f"without tokens the intake listens on this machine only, not on {settings.intake_host}: "
            "make some with `frontdesk token create` and set FRONTDESK_INTAKE_TOKENS"
        )
    return None


def _read_again(settings: Settings, handler: IntakeHandler, link: KafkaLink, metrics: IntakeMetrics) -> None:
    """On SIGHUP. A file that cannot be used changes nothing."""
    try:
        link.allows = directory_of(settings).allows
    except (DirectoryError, OSError) as error:
        log.error("directory refused: the old one stays in force", why=str(error).splitlines())  # noqa: TRY400 - its text says it all
    if settings.intake_tokens is not None:
        _read_tokens_again(settings.intake_tokens, handler, metrics)


def _read_tokens_again(file: Path, handler: IntakeHandler, metrics: IntakeMetrics) -> None:
    try:
        register = register_of(file)
    except (TokenFileError, OSError) as error:
        metrics.reloaded("refused")
        log.error("the token file stays as it was read before", why=str(error))  # noqa: TRY400 - its text says it all
        return
    handler.authentication.register = register
    handler.rate_limiter.only(set(register.grants))
    metrics.reloaded("read")
    log.info("token file read again", tokens=len(register.grants))


async def _listen(stack: AsyncExitStack, server: HttpServer, settings: Settings) -> int:
    """Answer until the stack unwinds: then no more connections, and those with a request under way are answered first."""
    runner = web.ServerRunner(server, handle_signals=False, shutdown_timeout=DRAINED_WITHIN_S)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, settings.intake_host, settings.intake_port, backlog=512).start()
    return int(runner.addresses[0][1])


async def _ended(task: "asyncio.Task[None]") -> None:
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
