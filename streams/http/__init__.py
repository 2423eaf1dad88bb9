"""What every door of HTTP has in common: who may ask (`policy`), how often one may be wrong (`tries`), and how it is answered.

A door that asks for a token knows who comes. One that does not must know that no web page and no proxy sends what it gets: a
browser on this machine reaches 127.0.0.1 for whatever page it shows, and a proxy here makes the whole world look local.
"""

from streams.http.application import HEADERS, application
from streams.http.header import as_sent
from streams.http.policy import LOCAL, Policy
from streams.http.serving import answer
from streams.http.tries import Tries, client_of

__all__ = ["HEADERS", "LOCAL", "Policy", "Tries", "answer", "application", "as_sent", "client_of"]
