"""Asks about every ticket of a job and says how that went: `python docs/python_example.py --simulate`."""

import sys

from runner import plan_job, run_job

SPEC = "specs/triage.yaml"


def main(simulate: bool) -> int:
    with plan_job(SPEC, simulate=simulate) as planned:
        print(f"{planned.plan.requests} requests, at most ${planned.cost().most_usd}")

    run = run_job(SPEC, max_cost=1.00, simulate=simulate)
    for result in run.results():
        print(result["id"], result["status"], result["text"])
    print(f"{run.summary.good} of {run.summary.total} answers are good")
    return run.exit_code


if __name__ == "__main__":
    sys.exit(main("--simulate" in sys.argv))
