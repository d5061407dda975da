"""What `router check --live` proves: rules over a config and what AWS says of its tables, queues and functions."""
