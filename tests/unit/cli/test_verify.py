"""`stillpoint verify`: what it is asked for."""

import pytest

from stillpoint import cli
from stillpoint.cli.exit_status import ExitStatus


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a BACKUP, or give --schedule or --clean-up alone"),
        (["nightly", "--clean-up"], "name a BACKUP, or give --schedule or --clean-up alone"),
        (["nightly", "--seed", "1"], "--seed is for --sample"),
        (["nightly", "--sample", "0"], "'0' is no number from 1 on"),
        (["nightly", "--at-once", "-1"], "'-1' is no number from 1 on"),
        (["nightly", "--timeout", "soon"], "'soon' is no time"),
        (["nightly", "--network", "all"], "invalid choice: 'all'"),
    ],
)
def test_wrong_usage(arguments: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        cli.main(["verify", *arguments])
    assert caught.value.code == ExitStatus.WRONG_USAGE
    printed = capsys.readouterr().err
    assert said in printed
    assert printed.startswith("usage: stillpoint verify ")
