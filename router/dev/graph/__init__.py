"""`router graph`: queues over routes to tables and dead-letter queues."""
