"""What `router check` proves beyond what loading proves."""
