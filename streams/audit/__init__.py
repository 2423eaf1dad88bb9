"""Whether the tables hold what the log holds: each record is accounted for, once."""
