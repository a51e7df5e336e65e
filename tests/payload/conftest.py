"""Pods that all tests of the payload share: nothing in them can be written to."""

import pytest

from tests.payload.pod import Pod, pod, pod_for_tests


@pytest.fixture(scope="session")
def velero_pod(tmp_path_factory: pytest.TempPathFactory) -> Pod:
    """With the payload as it is."""
    return pod(tmp_path_factory.mktemp("pod"))


@pytest.fixture(scope="session")
def pod_with_test_actions(tmp_path_factory: pytest.TempPathFactory) -> Pod:
    """With the actions of tests/wire in the place of the product's."""
    return pod_for_tests(tmp_path_factory.mktemp("pod-for-tests"))
