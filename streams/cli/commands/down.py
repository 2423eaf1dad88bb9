"""`frontdesk down`: stops what `frontdesk up` started."""

# ruff: noqa: PLC0415 - so that --help is instant

from streams.terminal.options import Folder


def down(folder: Folder = None) -> None:
    """Stop the Kafka and ClickHouse that `frontdesk up` started with this folder. The data stays.

    Where nothing runs, nothing is done.
    """
    from deploy.embedded.stack import Stack
    from streams.terminal.configuration import stack_folder
    from streams.terminal.screen import remark, step

    chosen = stack_folder(folder)
    with step("stopping Kafka and ClickHouse"):
        stopped = Stack(chosen).down()
    if not stopped:
        remark(f"nothing ran in {chosen}: --folder says where else to look")
