"""tape: microsecond messaging that stores everything to disk."""
