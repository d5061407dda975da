"""From the parsed config to plain callables; may be slow, and reports what it finds."""
