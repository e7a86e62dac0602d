"""The exception for a rendered field that the API would refuse; it carries the problem and nothing else."""

from __future__ import annotations

from runner.errors import Problem


class FieldFault(Exception):
    """A rendered field that the API would refuse. problem.where: the template it came from, if it came from one."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(problem.what)
        self.problem = problem
