"""Compares a config with what is deployed, and shows what was seen."""
