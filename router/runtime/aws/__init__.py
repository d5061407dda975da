"""The clients of AWS: nothing else in the router calls it."""
