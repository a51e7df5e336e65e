"""The verbs of the command `stillpoint-guest` for people."""
