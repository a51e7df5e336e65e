"""The command `stillpoint`."""


def main() -> int:
    """Run the command line."""
    raise NotImplementedError
