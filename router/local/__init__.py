"""An embedded AWS for the demo and the tests."""
