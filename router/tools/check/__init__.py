"""`router check`: rules over a config, and over what is deployed of it."""
