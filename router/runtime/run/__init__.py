"""The long-running worker: receivers on real queues, and who starts and stops them."""
