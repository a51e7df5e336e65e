"""The payload under Velero's real client code, in a root like that of Velero's container."""

import json
from pathlib import Path

import pytest

from stillpoint import catalogue
from stillpoint.calls.action import every
from tests.payload.pod import Finished, Pod
from tests.wire.test_velero_client import CHECKS, CHECKS_SINCE_1_15, expected

PLUGIN = "/plugins/stillpoint/stillpoint"
POISONED = ("libz.so.1", "libssl.so.1.1", "libcrypto.so.1.1", "libstdc++.so.6", "libgcc_s.so.1",
            "libpython3.11.so.1.0", "libexpat.so.1", "libssl.so.3", "libcrypto.so.3")  # fmt: skip


def assert_good(finished: Finished) -> None:
    assert finished.status == 0, finished.output + finished.errors
    assert finished.processes == []
    assert finished.files == []


@pytest.mark.parametrize("check", [*CHECKS, *CHECKS_SINCE_1_15])
def test_velero_is_content_that(pod_with_test_actions: Pod, check: str) -> None:
    assert_good(pod_with_test_actions.velero(check))


@pytest.mark.parametrize("temporary", ["empty", "noexec", "absent"])
def test_the_whole_catalogue_is_found_by_the_run_of_one_file(
    velero_pod: Pod, temporary: str
) -> None:
    finished = velero_pod.velero("discover", temporary=temporary)
    assert_good(finished)
    found = json.loads(finished.output)
    assert {action["Command"] for action in found} == {PLUGIN}
    assert sorted(found, key=str) == sorted(expected(every(catalogue), Path(PLUGIN)), key=str)


def test_libraries_of_other_plugins_are_not_taken(velero_pod: Pod) -> None:
    poison = [velero_pod.plugins / name for name in POISONED]
    try:
        for file in poison:
            file.write_text("no library")
        assert_good(velero_pod.velero("discover"))
    finally:
        for file in poison:
            file.unlink()


def test_a_library_that_the_payload_lacks_would_be_taken_from_there(velero_pod: Pod) -> None:
    # So the test above can fail: this is the loader's path, and LD_LIBRARY_PATH is in it.
    poison = velero_pod.plugins / "libm.so.6"
    poison.write_text("no library")
    try:
        assert "libm.so.6" in velero_pod.run(PLUGIN).errors
    finally:
        poison.unlink()
