"""One run of a job or shard at a time, and waiting for the one that is under way."""

from __future__ import annotations

import asyncio
import os

import pytest
from store_job import Job, ok, plan_of

from runner.errors import Interrupted, Terminated
from runner.store import open_run
from runner.store.lock import Held, JobLock, all_locks, lock_name
from runner.store.waiting import once_free

AT = "2026-11-22T09:28:11.123Z"
SECOND = {"k": 2, "of": 8, "limited": False}
THIRD = {"k": 3, "of": 8, "limited": False}


def test_shards_and_the_whole_run_side_by_side(job: Job) -> None:
    with (
        job.open(fresh=True) as whole,
        open_shard(job, SECOND) as second,
        open_shard(job, THIRD) as third,
    ):
        assert len({whole.run_id, second.run_id, third.run_id}) == 3
        with pytest.raises(Held, match=f"`triage` is being run by process {os.getpid()} .*{whole.run_id}"):
            job.open(fresh=True)
        with pytest.raises(Held, match=f"shard 2/8 of `triage` is being run by .*{second.run_id}"):
            open_shard(job, SECOND)
    assert (job.folder / ".lock-2-of-8").exists()


def open_shard(job: Job, shard: dict):
    manifest = job.manifest(shard=shard, limited=True)
    return open_run(job.folder, manifest=manifest, plan=plan_of(3), clock=job.clock)


def test_a_shard_never_goes_on_with_another_or_with_the_whole_run(job: Job) -> None:
    """Their plans may be equal by chance: one row, dealt to the first of two."""
    with job.open() as whole:
        whole.done(ok(0))
    with open_shard(job, SECOND) as second:
        assert not second.continued
        second.done(ok(1))
    with open_shard(job, SECOND) as again:
        assert again.run_id == second.run_id
    with open_shard(job, THIRD) as third:
        assert not third.continued
    with job.open() as whole_again:
        assert whole_again.run_id == whole.run_id


def test_all_locks_are_those_of_the_shards_too(job: Job) -> None:
    job.folder.mkdir(parents=True)
    JobLock(job.folder, at=AT, name=lock_name(SECOND)).release()
    with all_locks(job.folder, at=AT):
        for name in (".lock", ".lock-2-of-8"):
            with pytest.raises(Held):
                JobLock(job.folder, at=AT, name=name)
    held = JobLock(job.folder, at=AT, name=lock_name(SECOND))
    with pytest.raises(Held, match="shard 2/8"), all_locks(job.folder, at=AT):
        raise AssertionError("never inside while a shard is under way")
    JobLock(job.folder, at=AT).release()  # the whole run's lock was let go again
    held.release()


# ---------------------------------------------------------------- waiting


class Waits:
    """A lock that is free at the third try; time passes only in `sleep`."""

    def __init__(self, free_at: int = 3, stop_at: int = 99, reason: str = "interrupted") -> None:
        self.tries = self.slept = 0
        self.free_at, self.stop_at, self.reason = free_at, stop_at, reason
        self.said: list[str] = []

    def open(self) -> str:
        self.tries += 1
        if self.tries < self.free_at:
            raise Held("`triage` is being run by process 7")
        return "opened"

    async def sleep(self, seconds: float) -> None:
        assert seconds >= 0.5, "no busy loop"
        self.slept += 1

    def stopped(self) -> str | None:
        return self.reason if self.slept >= self.stop_at else None

    def run(self) -> str:
        return asyncio.run(once_free(self.open, sleep=self.sleep, stopped=self.stopped, say=self.said.append))


def test_waiting_says_once_for_whom() -> None:
    waits = Waits(free_at=5)
    assert waits.run() == "opened"
    assert waits.said == ["waiting: `triage` is being run by process 7"]
    assert waits.slept == 4


def test_who_need_not_wait_says_nothing() -> None:
    waits = Waits(free_at=1)
    assert waits.run() == "opened"
    assert (waits.said, waits.slept) == ([], 0)


@pytest.mark.parametrize(
    ("reason", "error", "code"), [("interrupted", Interrupted, 130), ("terminated", Terminated, 143)]
)
def test_waiting_can_be_stopped(reason: str, error: type, code: int) -> None:
    waits = Waits(stop_at=2, reason=reason)
    with pytest.raises(error) as caught:
        waits.run()
    assert caught.value.exit_code == code
    assert waits.tries == 2
