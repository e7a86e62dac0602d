"""`runner.records`: every name can be imported from there, whether it is loaded at once or later."""

from __future__ import annotations

import pytest

from runner import records


@pytest.mark.parametrize("name", records.__all__)
def test_every_name_is_there(name: str) -> None:
    assert getattr(records, name) is getattr(records, name)


def test_no_other_name_is() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Respnse'"):
        records.Respnse  # type: ignore[attr-defined]  # noqa: B018 - asking is the test
