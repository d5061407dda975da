"""What became of messages: a source, beside what the tables hold."""
