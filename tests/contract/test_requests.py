"""Whatever Velero sends as a Backup or Restore is read, or refused in words for people."""

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from stillpoint.model.conditions import KEEP, RUN_STRATEGIES
from stillpoint.model.errors import StillpointError
from stillpoint.model.reference import Reference
from stillpoint.velero.request import Backup, Restore

FIELDS = st.sampled_from(
    "includedNamespaces excludedNamespaces includedResources excludedResources "
    "includedNamespaceScopedResources excludedClusterScopedResources includeClusterResources "
    "labelSelector orLabelSelectors matchLabels matchExpressions key operator values "
    "resourcePolicy labels annotations name uid startTimestamp "
    "velero.kubevirt.io/restore-run-strategy stillpoint.dev/replay".split()
)
WORDS = st.sampled_from(["*", "pvc", "vm.kube", "shop-[a-", "{a,b}", "In", "true", "", "a/b/c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | WORDS | st.text(max_size=6),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(FIELDS, inner, max_size=4),
    max_leaves=15,
)
SECRET = Reference("", "secrets", "shop", "db")


@settings(max_examples=400, deadline=None)
@given(spec=JSON, metadata=JSON, status=JSON)
def test_any_backup_is_read_or_refused(spec: Any, metadata: Any, status: Any) -> None:
    try:
        backup = Backup.parse({"spec": spec, "metadata": metadata, "status": status})
        assert backup.filters.surely_selects(SECRET) in (True, False)
    except StillpointError as error:
        assert error.cause  # noqa: PT017 - or it is read


@settings(max_examples=400, deadline=None)
@given(spec=JSON, metadata=JSON)
def test_any_restore_is_read_or_refused(spec: Any, metadata: Any) -> None:
    try:
        restore = Restore.parse({"spec": spec, "metadata": metadata})
        assert restore.filters.surely_selects(SECRET) in (True, False)
        run_strategy = restore.conditions.run_strategy
        assert run_strategy.default in (KEEP, *RUN_STRATEGIES)
    except StillpointError as error:
        assert error.cause  # noqa: PT017 - or it is read
