"""Rows of a job: from lists, files, globs and stdin, one at a time. `read_rows` is the whole of it.

Knows rows, not requests: no template of a prompt is rendered here, no file is written, no row is kept.
"""

from runner.inputs.rows import read_rows
from runner.inputs.select import Selection, Shard
from runner.inputs.stamps import Stamps
from runner.inputs.stdin import Stdin

__all__ = ["Selection", "Shard", "Stamps", "Stdin", "read_rows"]
