"""The clients of AWS: nothing else in the router calls it."""

RESPONSE_SECONDS = 10
"""To wait for a response, or for more of a large one, at most: healthy services respond in milliseconds."""
