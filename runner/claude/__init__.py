"""Claude over HTTP: the only importer of `anthropic` (and of its HTTP library, `httpx2`).

`client` sends one attempt and turns whatever happens into a `Reply` or a `Failure`; the loop that tries again is
`runner.engine`'s. Importing this package, `origin`, `failures` or `streaming` is cheap; importing `client` takes the
second or two that `import anthropic` takes, so it is imported where a job is about to be sent and nowhere else.
"""
