"""`python -m router`: the same as the command `router`."""

from router.tools.cli import main

main()
