"""What Velero passes on to its plugins."""

import pytest

from stillpoint.wire import flags


@pytest.mark.parametrize(
    ("arguments", "value"),
    [
        (["--plugin-dir=/a", "--log-level=debug"], "/a"),
        (["--log-level", "debug", "--plugin-dir", "/a"], "/a"),
        (["--plugin-dir="], ""),
        (["--plugin-dir"], ""),
        (["--log-level=debug"], ""),
        ([], ""),
    ],
)
def test_a_flag_is_read_in_both_spellings(arguments: list[str], value: str) -> None:
    assert flags.value(arguments, "--plugin-dir") == value


@pytest.mark.parametrize(
    ("arguments", "has_csi"),
    [
        (["--features=EnableCSI"], True),
        (["--log-level=debug", "--features", "EnableAPIGroupVersions,EnableCSI"], True),
        (["--features="], False),
        (["--features=EnableCSIVolumes"], False),
        ([], False),
    ],
)
def test_features(arguments: list[str], has_csi: bool) -> None:
    assert flags.has_feature(arguments, "EnableCSI") is has_csi
