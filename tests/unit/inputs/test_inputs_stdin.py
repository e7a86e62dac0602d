"""Standard input: spooled once, read twice, gone afterwards."""

from __future__ import annotations

import io

import pytest

from runner.errors import SpecError
from runner.inputs import Stamps, Stdin, read_rows


def test_rows_of_stdin_can_be_read_twice_and_the_spool_is_deleted(project):
    stdin = Stdin(io.BytesIO(b"id,text\nT-1,a\n"))
    job, stamps = project.job(project.source("file", "-", format="csv")), Stamps()
    first = list(read_rows(job, stdin=stdin, stamps=stamps))
    spool = stdin.path()
    assert spool.read_bytes() == b"id,text\nT-1,a\n"
    assert list(read_rows(job, stdin=stdin, stamps=stamps)) == first
    assert [(row.id, str(row.source)) for row in first] == [("T-1", "<stdin>:2")]
    stdin.close()
    stdin.close()
    assert not spool.exists()


def test_a_job_without_stdin_never_reads_it(project):
    class Terminal(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise AssertionError("would wait for a terminal")

    project.write("a.csv", "x\n1\n")
    with Stdin(Terminal()) as stdin:
        assert len(list(read_rows(project.job(project.source("file", "a.csv")), stdin=stdin, stamps=Stamps()))) == 1


def test_a_wrong_encoding_on_stdin_says_so(project):
    project.stdin_bytes = b"x\n\xe9\n"
    with pytest.raises(SpecError, match="`<stdin>` is not UTF-8: byte 0xe9 at offset 2") as caught:
        project.rows(project.source("file", "-", format="txt"))
    assert "promptrun-stdin" not in str(caught.value)
