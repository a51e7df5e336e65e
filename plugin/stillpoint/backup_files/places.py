"""The places of objects in an archive of Velero.

Source: pkg/archive/parser.go of Velero v1.18.
"""

Place = tuple[str, str, str]
"""Resource, namespace (empty for an object of the cluster) and name."""


def place_of(name: str) -> Place | None:
    """The object in a file of that name; None for other files, and for further API versions.

    Example: `resources/pods/namespaces/shop/db.json`. Each is stored again in a folder of its
    version.
    """
    match name.removeprefix("./").split("/"):
        case ["resources", resource, "namespaces", namespace, file] if file.endswith(".json"):
            return resource, namespace, file.removesuffix(".json")
        case ["resources", resource, "cluster", file] if file.endswith(".json"):
            return resource, "", file.removesuffix(".json")
    return None
