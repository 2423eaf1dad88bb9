"""schemathesis against the intake: whatever it makes of the OpenAPI document, no answer is a 5xx and each is documented.

Over 1,000 cases, most of them at the borders of what the document says; with FRONTDESK_FULL=1 over 10,000. The checks
`positive_data_acceptance` and `negative_data_rejection` are left out: in binary mode headers decide what a body is, and one
good event of a batch is accepted beside others that are not.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from streams.intake.grant import Grant
from streams.intake.register import Register
from streams.intake.token_file import new_token
from tests.support.intakes import door_in_thread

FULL = "FRONTDESK_FULL" in os.environ
CASES, OF_EACH = (10_000, 1_500) if FULL else (1_000, 12)
CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "missing_required_header",
    "unsupported_method",
    "ignored_auth",
)


@pytest.mark.timeout(1_800)
def test_every_answer_is_one_of_the_document(tmp_path: Path) -> None:
    token_id, token, sha256 = new_token()
    register = Register({token_id: Grant(token_id, digest=bytes.fromhex(sha256), reads_metrics=True)})
    with door_in_thread(register) as door:
        command = [Path(sys.executable).with_name("schemathesis"), "run", f"{door.url}/openapi.yaml"]
        how = ["--phases", "coverage,fuzzing", "--max-examples", str(OF_EACH), "--checks", ",".join(CHECKS), "--no-shrink", "--no-color"]
        how += ["--generation-database", "none"]  # it takes three times as long with one, and nothing would read it again
        run = subprocess.run(
            [*map(str, command), *how, "--header", f"Authorization: Bearer {token}"],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        told = run.stdout
        assert run.returncode == 0, told[-8_000:] + run.stderr[-2_000:]
        [(generated, passed)] = re.findall(r"(\d+) generated, (\d+) passed", told)
        assert int(generated) == int(passed) >= CASES
        assert door.link.records, "no case was an event"
        assert door.refusals().keys() >= {"rejected", "unauthorized", "media_type", "method"}
        assert door.budget.held == 0
