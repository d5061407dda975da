"""The web console: a page on the loopback address over the functions of the commands."""
