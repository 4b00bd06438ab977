"""What goes into a paper: the bundle, and what it holds."""
