"""Sending: requests in, one result each out, as fast as they are answered and never in a storm.

Knows a request only by its record. `send`, the clock, randomness and the sink are arguments, so that nothing here
imports the SDK, opens a file or sleeps by itself. `live` is the loop; `retry`, `lanes` and `results` are its rules.
"""
