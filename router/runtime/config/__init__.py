"""Reads `routes.yaml` into typed values with their places."""
