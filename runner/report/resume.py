"""How a run goes on, in words: what is done, what is sent now, what it cost so far, what may have been billed."""

from __future__ import annotations

from runner.models.resume import Resume, Spent
from runner.report.words import count, money


def resume_text(resume: Resume) -> str:
    """One line: `going on: 600 of 1,000 are answered, 400 to send; $1.20 so far, …`; "" for a run that begins."""
    if not resume.continued:
        return ""
    done = f"{resume.answered:,} of {resume.total:,} are answered"
    if resume.reused:
        done += f", {resume.reused:,} more by earlier runs"
    failed = f" ({resume.failed:,} of them failed before)" if resume.failed else ""
    return f"going on: {done}, {resume.to_send:,} to send{failed}; {_spent(resume.spent, simulated=resume.simulated)}"


def _spent(spent: Spent, *, simulated: bool) -> str:
    text = f"{'had it been real, ' if simulated else ''}{money(spent.usd)} so far"
    if spent.unpriced:
        text += f", and {count(spent.unpriced, 'answer')} without a known price"
    if spent.maybe_attempts:
        most = f" up to {money(spent.maybe_usd)}" if spent.maybe_usd else ""
        text += f"; {count(spent.maybe_attempts, 'attempt')} without an outcome may have been billed{most}"
    return text
