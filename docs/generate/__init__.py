"""Scripts that write the generated pages of `docs/`; `make format` runs them."""
