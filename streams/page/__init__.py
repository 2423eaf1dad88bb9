"""The live page: a district's three indicators in a browser, from ClickHouse, read only.

One reader asks ClickHouse for each district and window that somebody looks at, whatever number of people do (`hub`); the
browsers are told by server-sent events when something changed (`server`). There is no build step: what a browser gets
stands in `static` as it was written.
"""

from streams.page.service import run_page, serve_page

__all__ = ["run_page", "serve_page"]
