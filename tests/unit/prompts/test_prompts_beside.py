"""What goes with a body: worked out once where only texts differ, anew where anything else may."""

from __future__ import annotations

from runner.prompts.beside import TEXTS, beside

FIELDS = {"model": "claude-opus-5-5", "betas": ["a-2026-01-01"], "user_profile_id": "p"}
BODY = {"model": "claude-opus-5-5", "messages": [], "tools": [{"type": "web_search_20260209", "name": "s"}]}
PLAIN, MARKED = b"{}", b'{"cache_control":{"type":"ephemeral"}}'


def test_texts_change_none_of_it():
    same = beside(TEXTS)
    assert same.same
    assert same.sent(FIELDS) is same.sent({**FIELDS, "prompt": "another"})
    assert same.terms(BODY, PLAIN, ()) is same.terms({**BODY, "messages": [1]}, PLAIN, ())


def test_another_template_is_looked_at_for_every_row():
    own = beside({"prompt", "betas"})
    assert own.sent(FIELDS).betas == ("a-2026-01-01",)
    assert own.sent({**FIELDS, "betas": ["b-2026-01-01"]}).betas == ("b-2026-01-01",)
    free, dear = {**BODY, "tools": []}, BODY
    assert own.terms(free, PLAIN, ()) != own.terms(dear, PLAIN, ())


def test_a_text_that_writes_a_cache_and_documents_without_bound_have_terms_of_their_own():
    same = beside(TEXTS)
    plain, marked = same.terms(FIELDS, PLAIN, ()), same.terms(FIELDS, MARKED, ())
    assert (plain.caches, marked.caches, same.terms(FIELDS, None, ()).caches) == ("", "5m", "1h")
    assert same.terms(FIELDS, PLAIN, ("documents",)).unbounded == ("documents",)
    assert plain.unbounded == ()
