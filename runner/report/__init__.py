"""Records → text and JSON for people and programs. Functions return strings; nothing here prints or reads files."""
