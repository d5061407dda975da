"""Scripts that write the generated pages of `docs/`; `make docs` runs them."""
