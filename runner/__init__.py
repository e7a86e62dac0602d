"""promptrun: batches of prompts on Claude, described in YAML and kept in git.

The public Python API is `load_job`, `plan_job` and `run_job` (docs/python.md). It is loaded when it is first asked for:
the command imports this package too, and `promptrun --help` needs none of it.
"""

__version__ = "0.1.0"
__all__ = ["JobRun", "__version__", "load_job", "plan_job", "run_job"]

TYPE_CHECKING = False  # the first thing a command imports: until it has seen to signals, next to nothing is loaded
if TYPE_CHECKING:
    from runner.public import JobRun, load_job, plan_job, run_job
else:

    def __getattr__(name):
        """Called for what is not here yet: https://peps.python.org/pep-0562/."""
        if name not in __all__:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from runner import public

        return getattr(public, name)
