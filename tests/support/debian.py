"""Programs that come as Debian packages: real servers of others, beside which Frontdesk is tested.

They are found where they are installed. On a machine of one's own nothing is installed unasked: with FRONTDESK_APT=1, or in
continuous integration (CI is set), `apt-get` gets them. A package may bring a service along; it is not started.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

POLICY = Path("/usr/sbin/policy-rc.d")
"""While this file exits with 101, packages start no services (Debian Policy, 9.3.3)."""
NO_NETWORK = r"Temporary failure|Could not connect|Could not resolve|Connection failed|Connection timed out|Network is unreachable"


def debian(package: str, program: str | None = None) -> Path:
    """The path of a program of a package (of the package's name where none is given). Skips the test where there is none."""
    name = program or package
    found = shutil.which(name)
    if found is None:
        _install(package)
        found = shutil.which(name)
        assert found is not None, f"the package {package} brought no {name}"
    return Path(found)


@cache
def _install(package: str) -> None:
    if os.environ.get("FRONTDESK_APT") != "1" and not os.environ.get("CI"):
        pytest.skip(f"no {package}: `apt-get install {package}`, or set FRONTDESK_APT=1 to let tests do it")
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        pytest.skip(f"no {package}, and only root can install it with apt-get here")
    with _no_services():
        for arguments in (["update"], ["install", "--yes", "--no-install-recommends", package]):
            done = subprocess.run(
                ["apt-get", "-o", "DPkg::Lock::Timeout=300", "--quiet", *arguments],
                env={**os.environ, "DEBIAN_FRONTEND": "noninteractive"},
                capture_output=True,
                text=True,
                check=False,
            )
            if done.returncode and re.search(NO_NETWORK, done.stderr):
                pytest.skip(f"no {package}, and Debian's servers cannot be reached")
            assert done.returncode == 0, done.stderr


@contextmanager
def _no_services() -> Iterator[None]:
    """Services of packages that are installed meanwhile are not started."""
    if POLICY.exists():
        yield
        return
    POLICY.write_text("#!/bin/sh\nexit 101\n")
    POLICY.chmod(0o755)
    try:
        yield
    finally:
        POLICY.unlink()
