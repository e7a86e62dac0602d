"""Recognises text that looks like a credential, so that it never reaches git, a log or a message.

Shapes only, no guessing by entropy: a prompt about passwords must pass. Never repeats what it found.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_SHAPES = {
    "anthropic": ("an Anthropic API key", r"sk-ant-[A-Za-z0-9_-]{16,}"),
    "openai": ("an OpenAI API key", r"sk-(?!ant-)(?:[a-z]+-)?[A-Za-z0-9_-]{32,}"),
    "aws": ("an AWS access key", r"(?:AKIA|ASIA)[0-9A-Z]{16}(?![0-9A-Za-z])"),
    "github": ("a GitHub token", r"(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{50,})"),
    "gitlab": ("a GitLab token", r"glpat-[A-Za-z0-9_-]{20,}"),
    "google": ("a Google API key", r"AIza[0-9A-Za-z_-]{35}"),
    "slack": ("a Slack token", r"xox[abeprs]-[A-Za-z0-9-]{16,}"),
    "stripe": ("a Stripe key", r"[rs]k_live_[A-Za-z0-9]{20,}"),
    "huggingface": ("a Hugging Face token", r"hf_[A-Za-z0-9]{30,}"),
    "npm": ("an npm token", r"npm_[A-Za-z0-9]{36}"),
    "pypi": ("a PyPI token", r"pypi-AgE[A-Za-z0-9_-]{50,}"),
    "jwt": ("a signed web token", r"eyJ[A-Za-z0-9_-]{10,}\.eyJ[A-Za-z0-9_-]{10,}\.[A-Za-z0-9_-]{10,}"),
    "private_key": ("a private key", r"-----BEGIN (?:[A-Z]{1,20} ){0,3}PRIVATE KEY-----"),
}
_ANY = re.compile(
    "(?<![A-Za-z0-9_-])(?:" + "|".join(f"(?P<{name}>{shape})" for name, (_, shape) in _SHAPES.items()) + ")"
)


def find_credentials(text: str) -> Iterator[tuple[int, str]]:
    """(index of its first character, what it looks like: `an AWS access key`) for each one, in order."""
    for match in _ANY.finditer(text):
        yield match.start(), _SHAPES[match.lastgroup or ""][0]


def redact(text: str) -> str:
    """The text with everything that looks like a credential cut out; for messages that quote the user."""
    return _ANY.sub("[credential]", text)
