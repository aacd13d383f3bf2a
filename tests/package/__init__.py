"""What is installed and shown: the C library as others build with it, wheels, pages."""
