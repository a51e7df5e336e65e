"""The plugin's actions in this process: their calls, and what they read and log."""
