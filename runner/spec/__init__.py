"""From YAML text to a `JobSpec`: a tree with positions, checked against the schema, completed with the defaults.

The only package that knows YAML, JSON Schema and Jinja. It reads specs, never rows, and sends nothing.
Import its modules one by one: this file imports none of them, so that a command pays only for what it uses.
"""
