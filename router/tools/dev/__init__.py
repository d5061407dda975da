"""Commands at the desk: `router test`, `explain` and `demo`, and the embedded AWS."""
