"""The Grafana dashboards as code: what a superintendent, a principal and a department head ask, and the SQL that answers.

`python -m deploy.grafana` writes them to `dashboards/*.json`, which Grafana loads (provisioning/); a test fails when the
files are out of date. Panels read only views and `FINAL` tables. docs/dashboards.md says what each is for.
"""
