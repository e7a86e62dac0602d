"""What `promptrun init --ci` writes beside the starting job: a GitHub workflow, a crontab, systemd units.

Texts only. Each keeps the key out of the files, and tells what is next from the exit code (docs/scheduling.md).
"""

from __future__ import annotations

import shlex
from pathlib import Path

SPEC = "specs/first-job.yaml"
ENVIRONMENT = ".config/promptrun.env"
"""Below the home directory: a file with the line ANTHROPIC_API_KEY=…, readable by its owner alone."""

GITHUB = """\
# Pull requests: every spec is checked, and what it would send and cost stands in a comment.
# Every weekday: the job runs. What is answered already is not sent again, because outputs/ is kept between runs.
# The key is a secret of this repository, ANTHROPIC_API_KEY (Settings > Secrets and variables > Actions).
name: promptrun

on:
  pull_request:
  schedule:
    - cron: "17 5 * * 1-5"
  workflow_dispatch:

permissions:
  contents: read

env:
  SPEC: specs/first-job.yaml

defaults:
  run:
    shell: bash

jobs:
  plan:
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 10
    permissions:
      contents: read
      pull-requests: write
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - name: install
        run: python -m pip install promptrun
      - name: validate
        run: promptrun validate "$SPEC"
      - uses: actions/cache/restore@v4
        with:
          path: outputs
          key: promptrun-plan
          restore-keys: promptrun-
      - name: plan
        run: |
          {
            echo '`promptrun plan` of this pull request:'
            echo '```'
            promptrun plan "$SPEC"
            echo '```'
          } > "$RUNNER_TEMP/plan.md"
          cat "$RUNNER_TEMP/plan.md" >> "$GITHUB_STEP_SUMMARY"
      # A pull request from a fork may not write comments; its plan stands in the summary of the workflow run.
      - name: comment
        if: github.event.pull_request.head.repo.full_name == github.repository
        env:
          GH_TOKEN: ${{ github.token }}
          NUMBER: ${{ github.event.pull_request.number }}
        run: gh pr comment "$NUMBER" --body-file "$RUNNER_TEMP/plan.md" --edit-last --create-if-none

  run:
    if: github.event_name != 'pull_request'
    runs-on: ubuntu-latest
    timeout-minutes: 120
    concurrency:
      group: promptrun
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-python@v5
        with:
          python-version: "3.13"
      - name: install
        run: python -m pip install promptrun
      - uses: actions/cache/restore@v4
        with:
          path: outputs
          key: promptrun-${{ github.run_id }}-${{ github.run_attempt }}
          restore-keys: promptrun-
      - name: run
        env:
          ANTHROPIC_API_KEY: ${{ secrets.ANTHROPIC_API_KEY }}
        run: |
          for pause in 60 300 900 0; do
            code=0
            promptrun "$SPEC" || code=$?
            [ "$code" -eq 75 ] && [ "$pause" -gt 0 ] || break
            echo "::notice::try later (75), in $pause seconds: the same command goes on"
            sleep "$pause"
          done
          case "$code" in
            1) echo "::error::finished, but a check failed (1): look at the answers that are not good" ;;
            3) echo "::error::stopped at a limit of the spec (3): raise max_cost or the deadline, then run it again" ;;
            4) echo "::error::the account refused (4): credentials, billing or a spend limit" ;;
          esac
          exit "$code"
      - name: prune
        if: always()
        run: promptrun prune first-job --keep 10 || true
      - uses: actions/cache/save@v4
        if: always()
        with:
          path: outputs
          key: promptrun-${{ github.run_id }}-${{ github.run_attempt }}
      - uses: actions/upload-artifact@v4
        if: always()
        with:
          name: results
          path: |
            outputs/**/*.json*
            !outputs/*/latest/**
          retention-days: 30
"""

CRON = """\
# Add this to your crontab:  (crontab -l; cat schedule/first-job.crontab) | crontab -
# The key stands in ~/{environment}, a file only you can read, as ANTHROPIC_API_KEY=…
# 75 means try later: the job goes on after 10, 30 and 60 minutes. cron mails what is printed: nothing when all is well.
17 5 * * 1-5 {command}
"""

CRON_COMMAND = """\
cd {folder} && set -a && . "$HOME/{environment}" && set +a && \
for pause in 600 1800 3600 0; do code=0; {promptrun} {spec} --quiet >/dev/null || code=$?; \
[ $code -eq 75 ] && [ $pause -gt 0 ] || break; sleep $pause; done; \
case $code in 0) ;; 1) echo "first-job finished, but a check failed" ;; \
3) echo "first-job stopped at a limit of its spec: raise it, then run it again" ;; \
*) echo "first-job ended with exit code $code" ;; esac"""

SERVICE = """\
# systemd: cp schedule/first-job.* ~/.config/systemd/user/ && systemctl --user enable --now first-job.timer
# The key stands in ~/{environment}, a file only you can read, as ANTHROPIC_API_KEY=…
[Unit]
Description=promptrun first-job
# Not more than six starts in six hours, however often the answer is "try later".
StartLimitIntervalSec=6h
StartLimitBurst=6

[Service]
Type=exec
WorkingDirectory={folder}
EnvironmentFile=%h/{environment}
ExecStart={promptrun} {spec} --wait
# 75 means try later: only then the same command is started again, and goes on where it stopped.
Restart=no
RestartForceExitStatus=75
RestartSec=10min
# Interrupted (143) is no failure: what was received is kept, and the next start goes on.
SuccessExitStatus=143
# On stopping, what is in flight gets run.grace (30 s) to arrive.
TimeoutStopSec=60
ExecStopPost=/bin/sh -c 'case "$$EXIT_STATUS" in \
1) echo "finished, but a check failed: look at the answers" ;; \
3) echo "stopped at a limit of the spec: raise it, then start again" ;; \
4) echo "the account refused: credentials, billing or a spend limit" ;; \
75) echo "try later" ;; esac'
"""

TIMER = """\
[Unit]
Description=promptrun first-job every weekday

[Timer]
OnCalendar=Mon..Fri 05:17
RandomizedDelaySec=5min
# A machine that slept through it runs the job when it wakes up.
Persistent=true

[Install]
WantedBy=timers.target
"""

KINDS = ("github", "cron", "systemd")


def ci_files(kind: str, folder: Path, promptrun: Path) -> dict[str, str]:
    """Path below the folder → text. folder: absolute, where the project is; promptrun: the command's absolute path."""
    words = {
        "folder": folder.as_posix(),
        "promptrun": promptrun.as_posix(),
        "spec": SPEC,
        "environment": ENVIRONMENT,
    }
    if kind == "github":
        return {".github/workflows/promptrun.yml": GITHUB}
    if kind == "cron":
        quoted = words | {name: shlex.quote(words[name]) for name in ("folder", "promptrun")}
        command = CRON_COMMAND.format(**quoted).replace("%", "\\%")  # cron takes a bare % for the end of the line
        return {"schedule/first-job.crontab": CRON.format(command=command, **words)}
    units = words | {"folder": words["folder"].replace("%", "%%"), "promptrun": _in_unit(words["promptrun"])}
    return {"schedule/first-job.service": SERVICE.format(**units), "schedule/first-job.timer": TIMER}


def _in_unit(word: str) -> str:
    """A word of ExecStart: https://www.freedesktop.org/software/systemd/man/latest/systemd.service.html"""
    safe = word.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%")
    return f'"{safe}"' if " " in safe else safe
