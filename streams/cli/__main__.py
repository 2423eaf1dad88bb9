"""`python -m streams.cli` is `frontdesk`, also where the command itself is not on the path."""

from streams.cli import main

if __name__ == "__main__":
    main()
