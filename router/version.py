"""The version of this distribution, where looking it up in the installed packages would take too long."""

VERSION = "0.1.0"
