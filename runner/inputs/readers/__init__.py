"""One module a format: a file in, entries out, in constant memory. A reader knows no ids, numbers or policies."""
