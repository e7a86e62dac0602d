"""Which regular expressions can take forever, and which only look as if."""

from __future__ import annotations

import subprocess
import sys

import pytest

from runner.spec.slow_pattern import NO_PATTERN, is_slow

SLOW = [
    r"^(a+)+$",
    r"(a*)*$",
    r"(\w+\s?)*$",
    r"(.*,)*x",
    r"(a|aa)+$",
    r"(a?b?)*x",
    r"^([a-zA-Z0-9]+\s*)+$",
    r"(x+x+)+y",
    r"((a{1,100}){1,100})b",
    r"(\d+|\w+)*$",
    r"([a-z]+\.?)+$",
    r"(a|b|ab)*c",
    r"^(?:.*a){12}$",
    r"(?=(a+)+$)x",
    r"(?:(\w)\1?)*$",
    r"(a|a)*$",
    r"^(?:x(?:a?|b?))*y",
    r"^(?:x(?:a?)?)*y",
    r"(?:a?){50}a{50}",
    r"(?:(?:(?:a?){4}){4}){4}a{64}",
]
FAST = [
    r"^[a-z0-9]+(-[a-z0-9]+)*$",
    r"^\d{4}-\d\d-\d\d$",
    r"^([^,]*,)*$",
    r"^[A-Z]{2}\d+$",
    r".*foo.*",
    r"^(red|green|blue)$",
    r"(foo|far)+$",
    r"^([0-9]{1,3}\.){3}[0-9]{1,3}$",
    r"^(\w+\s)*\w+$",
    r"(?i)^abc+$",
    r"^[^@\s]+@[^@\s]+\.[a-z]+$",
    r"^(?=.*x)y$",
    r"^v\d+(\.\d+)*$",
    r"^\+?[1-9]\d{1,14}$",
    r"^#([0-9a-f]{3}){1,2}$",
    r"(?>a+)b",
    "",
]


@pytest.mark.parametrize("pattern", SLOW)
def test_slow(pattern: str) -> None:
    assert is_slow(pattern)


@pytest.mark.parametrize("pattern", FAST)
def test_not_slow(pattern: str) -> None:
    assert not is_slow(pattern)


@pytest.mark.parametrize("pattern", FAST)
def test_what_is_not_slow_ends(pattern: str) -> None:
    """On texts that nearly match: in a process of its own, since Python cannot stop a match that does not end."""
    texts = [unit * 2_000 + "!" for unit in ("a", "a-", "1", "1.", "a,", "foo", " ", "a ", "ab", "_")]
    program = "import re, sys; [re.search(sys.argv[1], text) for text in sys.argv[2:]]"
    subprocess.run([sys.executable, "-c", program, pattern, *texts], check=True, timeout=60)


@pytest.mark.parametrize("pattern", ["(", "a{99999999999}", "(" * 5000 + ")" * 5000])
def test_what_is_no_expression_is_said_so(pattern: str) -> None:
    with pytest.raises(NO_PATTERN):
        is_slow(pattern)


def test_what_may_mean_something_else_one_day_is_no_warning() -> None:
    """Warnings are errors here; a person who runs the command would see Python's."""
    assert not is_slow("[[a]")
