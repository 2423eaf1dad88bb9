"""What each subcommand does, under its word."""
