"""The rules of `router check --live`, which compare a config with what is deployed."""
