"""What other systems tell, as events: a mapping file with JMESPath expressions, for rows of an export and for webhooks alike.

`mapping` is the file, `expression` the language, `translation` turns one row into events. Nothing here reads files of history
or speaks HTTP.
"""
