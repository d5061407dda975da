"""Dead-letter queues: what is on them, what the config would do with it now, and its delivery."""
