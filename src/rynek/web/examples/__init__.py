"""Programs that the page /developers shows; each is run as a program, none is imported."""
