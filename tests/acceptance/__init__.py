"""What may go, and how a queue fares."""
