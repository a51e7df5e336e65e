"""Asks a cluster what rights Velero's service account lacks, with few requests.

One question says whether the account is cluster-admin, as Velero's usually is. If it is not, its
roles and bindings are read, four lists, and evaluated as the API server does; a question for each
right would be sixty. Where another authorizer than RBAC gives rights, one more question finds it.
"""

from typing import TYPE_CHECKING

from stillpoint.check import rights
from stillpoint.check.rights import Right
from stillpoint.model.errors import NoResponse, ReadFailed
from stillpoint.rehearsal.sources import live_cluster
from stillpoint.rehearsal.sources.known import Unread
from stillpoint.rehearsal.sources.live_cluster import Part
from stillpoint.rehearsal.sources.manifests import Progress
from stillpoint.resources.installation import roles
from stillpoint.resources.installation.roles import Account
from stillpoint.velero.selection.discovery import Discovery

if TYPE_CHECKING:
    from stillpoint.cluster.kubernetes_reader import KubernetesReader


def lacking(
    account: Account, discovery: Discovery, reader: "KubernetesReader", progress: Progress
) -> tuple[Right, ...] | list[Unread]:
    """The rights that it lacks; or what could not be read, so that nothing says.

    Raises:
        NoResponse: the cluster does not answer.
    """
    has_all = _has(account, rights.ALL, reader)
    if has_all is True:
        return ()
    by_name = {one.name: one for one in discovery.served}
    wanted = [*((one, "") for one in roles.OF_CLUSTER)]
    wanted += [(one, account.namespace) for one in roles.OF_NAMESPACE]
    parts = [Part(by_name[str(one)], place) for one, place in wanted if str(one) in by_name]
    lists = live_cluster.read_parts(reader, parts, progress)
    found = tuple(rights.lacking(account, lists.objects, by_name))
    if not found:
        return ()
    absent = [str(one) for one, _ in wanted if str(one) not in by_name]
    unread = [*lists.unread, *(Unread(one, "the cluster does not serve it") for one in absent)]
    if unread:
        return [*unread, *([has_all] if isinstance(has_all, Unread) else [])]
    if _has(account, found[0], reader) is True:
        cause = f"another authorizer than RBAC lets it {found[0]}"
        return [Unread(f"rights of service account {account.namespace}/{account.name}", cause)]
    return found


def _has(account: Account, right: Right, reader: "KubernetesReader") -> bool | Unread:
    """The API server's own word."""
    namespace = account.namespace if right.is_of_velero else ""
    try:
        return reader.allows(account, namespace, right.verb, right.group, right.resource)
    except NoResponse:
        raise
    except ReadFailed as error:
        return Unread(error.subject, error.cause, error.hint)
