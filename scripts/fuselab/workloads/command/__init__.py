"""Any command inside the mount."""
