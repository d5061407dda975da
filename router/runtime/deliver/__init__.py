"""The shell around the engine: batches of writes, their outcomes, dead letters, payloads from S3."""
