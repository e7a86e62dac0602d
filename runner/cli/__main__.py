"""`python -m runner.cli` is `promptrun`."""

from runner.cli import main

main()
