"""The shell around the engine: batches of writes, outcomes, dead letters, payloads from S3."""
