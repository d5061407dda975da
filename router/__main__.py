"""`python -m router`: the same as the command `router`."""

from router.cli import main

main()
