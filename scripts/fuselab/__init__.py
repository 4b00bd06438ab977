"""fuselab: declarative experiments on FUSE filesystems."""
