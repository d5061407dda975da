"""Envelopes around messages."""
