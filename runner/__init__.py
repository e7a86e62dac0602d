"""promptrun: batches of prompts on Claude, described in YAML and kept in git."""

__version__ = "0.1.0"
