"""One module for each verb: it reads its arguments, calls one function, prints the answer."""
