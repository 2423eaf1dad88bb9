"""The committed dashboards are what the code makes, and what Grafana, the alerts and each other expect of them."""

from deploy.grafana.__main__ import FOLDER, documents


def test_the_committed_files_are_current() -> None:
    committed = {file.name: file.read_text("utf-8") for file in FOLDER.glob("*.json")}
    assert committed == documents(), "run `make dashboards`"
