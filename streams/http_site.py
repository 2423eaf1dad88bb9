"""An application of aiohttp at an address of this process, until whoever started it is done."""

from contextlib import AsyncExitStack

from aiohttp import web


async def answer(stack: AsyncExitStack, app: web.Application, port: int, host: str = "127.0.0.1") -> int:
    """Answer until the stack unwinds; returns the port (0 lets the system choose). Raises OSError where it is taken."""
    runner = web.AppRunner(app, access_log=None, handle_signals=False, shutdown_timeout=1.0)
    stack.push_async_callback(runner.cleanup)
    await runner.setup()
    await web.TCPSite(runner, host, port).start()
    return int(runner.addresses[0][1])
