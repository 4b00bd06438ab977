"""fio on the mount: what its options may say, its job file, its run, and what it leaves."""
