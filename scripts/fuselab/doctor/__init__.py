"""What this machine can do, line by line: ok, or the command that mends it. `examine` is all that others call."""
