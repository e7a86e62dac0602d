"""What this package offers, in one place: functions from a record to a string."""

from runner.report.plan import plan_json, plan_text
from runner.report.problems import problems_text
from runner.report.runs import runs_table
from runner.report.show import show_run_text, show_text
from runner.report.summary import cause_text, summary_json, summary_text

__all__ = [
    "cause_text",
    "plan_json",
    "plan_text",
    "problems_text",
    "runs_table",
    "show_run_text",
    "show_text",
    "summary_json",
    "summary_text",
]
