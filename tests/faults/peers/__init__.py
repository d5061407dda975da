"""A peer that breaks HTTP itself: answers after answers, half answers, drips and cuts, by plain HTTP and TLS."""
