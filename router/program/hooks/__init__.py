"""Plugins: what they can implement, how they are loaded, and the ones that are built in."""
