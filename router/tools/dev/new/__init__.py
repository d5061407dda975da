"""`router new`: makes a route, its table, schema and tests from sample messages."""
