"""The data plane without an SDK: signed HTTP requests over reused connections."""
