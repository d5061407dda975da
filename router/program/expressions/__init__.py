"""JMESPath on exact numbers."""
