"""Row → Request: templates rendered, bodies built, keys and plans made. Sends nothing and reads no spec text.

Import its modules one by one; this file imports none of them.
"""
