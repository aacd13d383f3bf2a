"""The command line ``tape``: click and rich, each command in a small module of its own.

Needs the extra ``cli``; ``import tape`` needs and loads none of it. Commands use what is public of
tape alone, and those that only look open their queues read-only: they never write a byte.
"""
