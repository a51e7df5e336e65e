"""The hook that QEMU's guest agent runs, its line to the holder, and that agent's configuration."""
