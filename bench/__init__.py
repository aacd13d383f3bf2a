"""What a message costs, against the machine's floor, Java's Chronicle Queue, and other stores.

``python -m bench`` measures all in one run and prints the table of targets; bench/README.md says
more.
"""
