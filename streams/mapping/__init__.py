"""What other systems tell, as events: a mapping file with JMESPath expressions, for rows of an export and for webhooks alike.

`mapping` is the file, `expression` the language, `translation` turns one row into events. Nothing here reads files of history
or speaks HTTP.
"""

from streams.mapping.expression import MappingError, key_of
from streams.mapping.mapping import Mapping, Table, read_as, read_mapping
from streams.mapping.translation import Emitted, Translation

__all__ = ["Emitted", "Mapping", "MappingError", "Table", "Translation", "key_of", "read_as", "read_mapping"]
