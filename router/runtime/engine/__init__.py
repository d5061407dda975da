"""From records to planned writes and back to outcomes; hot, pure, and free of I/O."""
