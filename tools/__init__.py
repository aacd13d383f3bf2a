"""What is made out of the sources: man pages, the reference of the C API. Standard library only."""
