"""All that a message meets, in Lambda and in the worker."""
