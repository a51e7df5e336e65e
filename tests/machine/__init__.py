"""A real guest: Debian booted by QEMU, with its agent, databases and our package."""
