"""A fixed set of files: made, looked up, listed, renamed, written, read, removed and unpacked."""
