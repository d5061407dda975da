"""The rules of `router check`: each module declares the codes of a rule, or of related rules, and
registers them.

To add a rule, add a module here and a fixture in `tests/checks`; `make format` updates
`docs/check.md`.
"""
