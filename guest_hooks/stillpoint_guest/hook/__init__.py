"""What QEMU's guest agent runs, its line to the holder, and the agent's own configuration."""
