"""The data plane without an SDK: signed HTTP requests over reused connections.

Why: docs/decisions/2026-11-25-own-aws-client.md
"""
