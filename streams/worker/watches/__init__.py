"""What a worker is told while it goes on: floods that people let pass, switched tables, another directory, topics that are gone."""
