"""The write modes."""
