"""`python -m deploy.embedded.clickhouse --data DIR`: the door as a program."""

import sys

from deploy.embedded.clickhouse.command import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
