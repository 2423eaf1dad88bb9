"""One file for each subcommand: its flags and its help. They import what they need when they run, so that `--help` is instant."""
