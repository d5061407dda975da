"""AWS in memory: tables for tests, rehearsals and proofs."""
