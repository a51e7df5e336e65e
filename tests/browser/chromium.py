"""Chromium without a window, as a program that is run once for a page."""

import subprocess
from pathlib import Path

_COMMON = (
    *("--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
    *("--no-first-run", "--disable-background-networking", "--virtual-time-budget=5000"),
)


def run(page: Path, *options: str) -> tuple[str, str]:
    """Standard output, and what the page's console and Chromium itself said."""
    profile = f"--user-data-dir={page.parent / 'profile'}"
    logging = ("--enable-logging=stderr", "--log-level=0")
    ended = subprocess.run(
        ["chromium", *_COMMON, profile, *logging, *options, page.as_uri()],  # noqa: S607
        check=True,
        capture_output=True,
        text=True,
        timeout=300,
    )
    return ended.stdout, ended.stderr


def dom(page: Path) -> str:
    """The page as it is after its script has run; any message on its console is an error."""
    content, said = run(page, "--dump-dom")
    messages = [line for line in said.splitlines() if "CONSOLE" in line]
    assert not messages, messages
    return content


def take_picture(page: Path, picture: Path, width: int, height: int, *options: str) -> None:
    """Writes what is in the window as a PNG."""
    run(page, f"--screenshot={picture}", f"--window-size={width},{height}", *options)
