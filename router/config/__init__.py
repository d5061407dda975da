"""From the text of `routes.yaml` to typed, located values."""
