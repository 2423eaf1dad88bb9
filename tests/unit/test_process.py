"""Children are awaited, found again, stopped and, where they should be, orphan-proof. Real processes, but small ones."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from deploy.embedded import Unavailable
from deploy.embedded.java import property_value
from deploy.embedded.process import Child, Failed, Identity, find, launch, tail, until, wait_ready

SLEEP = "import time; print('here', flush=True); time.sleep(600)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('here', flush=True); time.sleep(600)"
PARENT = """
import sys, threading, time
from pathlib import Path
import psutil
from deploy.embedded.process import launch, until

children = []

def start():
    children.append(launch([sys.executable, "-c", "import time; time.sleep(600)"], Path(sys.argv[1]), outlive=sys.argv[2] == "outlive"))

thread = threading.Thread(target=start)
thread.start()
thread.join()
until(lambda: thread.native_id not in [each.id for each in psutil.Process().threads()], 20)
print(children[0].identity.pid, children[0].identity.created, flush=True)
time.sleep(600)
"""
SOON_S = 20.0

Launch = Callable[[str], Child]


@pytest.fixture
def log(tmp_path: Path) -> Path:
    return tmp_path / "child.log"


@pytest.fixture
def run(log: Path) -> Iterator[Launch]:
    """Start a child that runs a line of Python; all are killed in the end."""
    children: list[Child] = []

    def start(code: str) -> Child:
        children.append(launch([sys.executable, "-c", code], log, outlive=False))
        return children[-1]

    yield start
    for child in children:
        child.kill()


def says(log: Path, word: str) -> Callable[[], bool]:
    return lambda: word in tail(log)


def test_a_child_is_awaited_until_its_condition_holds(run: Launch, log: Path) -> None:
    child = run(SLEEP)
    wait_ready(child, says(log, "here"), log, name="child", within_s=SOON_S)
    assert child.alive()
    assert child.resident_bytes() > 0


def test_a_child_that_ends_while_starting_is_told_with_the_end_of_its_log(run: Launch, log: Path) -> None:
    child = run("print('one'); raise SystemExit('no luck')")
    with pytest.raises(Failed, match=r"child ended while starting(?s:.*)one\nno luck|child ended while starting(?s:.*)no luck\none"):
        wait_ready(child, lambda: False, log, name="child", within_s=SOON_S)


def test_a_child_that_is_never_ready_is_told_and_still_runs(run: Launch, log: Path) -> None:
    child = run(SLEEP)
    with pytest.raises(Failed, match="not ready within"):
        wait_ready(child, lambda: False, log, name="child", within_s=0.1)
    assert child.alive()


def test_a_child_is_found_again_by_its_identity(run: Launch) -> None:
    child = run(SLEEP)
    found = find(child.identity)
    assert found is not None
    assert found.identity == child.identity


def test_another_process_of_the_same_pid_is_not_it(run: Launch) -> None:
    child = run(SLEEP)
    assert find(Identity(child.identity.pid, child.identity.created - 60)) is None


def test_a_child_that_ended_is_not_found_though_nobody_reaped_it(run: Launch) -> None:
    child = run("")
    assert until(lambda: psutil.Process(child.identity.pid).status() == psutil.STATUS_ZOMBIE, SOON_S)
    assert find(child.identity) is None


def test_stop_lets_a_child_end_by_itself(run: Launch, log: Path) -> None:
    child = run("import signal, sys, time\nsignal.signal(signal.SIGTERM, lambda *_: sys.exit(print('bye', flush=True)))\n" + SLEEP)
    wait_ready(child, says(log, "here"), log, name="child", within_s=SOON_S)
    assert child.stop()
    assert not child.alive()
    assert "bye" in tail(log)


def test_stop_ends_a_child_that_does_not_listen(run: Launch, log: Path) -> None:
    child = run(DEAF)
    wait_ready(child, says(log, "here"), log, name="child", within_s=SOON_S)
    assert not child.stop(grace_s=0.1)
    assert not child.alive()


def test_a_found_child_is_stopped_as_well_as_ones_own(run: Launch) -> None:
    child = run(SLEEP)
    found = find(child.identity)
    assert found is not None
    assert found.stop()
    assert not child.alive()


def test_stopping_twice_is_no_mistake(run: Launch) -> None:
    child = run(SLEEP)
    child.stop()
    assert child.stop()


def test_the_log_of_the_start_before_is_kept(run: Launch, log: Path) -> None:
    first = run("print('first')")
    assert until(lambda: not first.alive(), SOON_S)
    second = run("print('second')")
    assert until(lambda: not second.alive(), SOON_S)
    assert tail(log) == "second"
    assert tail(log.with_name("child.log.1")) == "first"


def test_a_program_that_is_not_there_is_told_plainly(log: Path) -> None:
    with pytest.raises(Unavailable, match="cannot start /no/such/program: No such file"):
        launch(["/no/such/program"], log, outlive=False)


def test_the_tail_of_a_long_log_is_its_last_lines(log: Path) -> None:
    log.write_text("".join(f"line {number}\n" for number in range(10_000)))
    assert tail(log, 2) == "line 9998\nline 9999"
    assert tail(log.with_name("none")) == ""


@contextmanager
def parent_of(log: Path, mode: str) -> Iterator[Identity]:
    """A parent that starts a child in a thread that ends at once, lives on, and is killed at the end of the block."""
    with subprocess.Popen([sys.executable, "-c", PARENT, str(log), mode], stdout=subprocess.PIPE, text=True) as parent:
        try:
            assert parent.stdout is not None
            pid, created = parent.stdout.readline().split()
            yield Identity(int(pid), float(created))
        finally:
            parent.kill()


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel's parent-death signal is Linux's")
def test_a_foreground_child_outlives_its_thread_but_not_its_parent(log: Path) -> None:
    with parent_of(log, "foreground") as identity:
        assert find(identity) is not None
    assert until(lambda: find(identity) is None, SOON_S)


def test_a_child_that_may_outlives_its_parent(log: Path) -> None:
    with parent_of(log, "outlive") as identity:
        pass
    child = find(identity)
    assert child is not None
    child.kill()
    assert find(identity) is None


def test_what_java_reads_from_a_properties_file_is_what_was_meant() -> None:
    """As java.util.Properties reads it: Latin-1, with escapes, without the blanks before a value."""
    assert property_value("plain text, a-b=c:9") == "plain text, a-b=c:9"
    assert property_value(" ä\\\n\U0001f600") == r"\u0020\u00e4\u005c\u000a\ud83d\ude00"
