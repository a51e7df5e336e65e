"""References between objects, as Velero's protocol and the Kubernetes API write them."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Resource:
    """One resource of the Kubernetes API.

    Example: `Resource("kubevirt.io", "v1", "virtualmachines", "VirtualMachine")`.
    The group of core resources is empty.
    """

    group: str
    version: str
    plural: str
    kind: str

    def __str__(self) -> str:
        """`virtualmachines.kubevirt.io`, as Velero's selectors want it."""
        return f"{self.plural}.{self.group}" if self.group else self.plural

    def named(self, namespace: str, name: str) -> "Reference":
        """A reference to one object of this resource."""
        return Reference(self.group, self.plural, namespace, name)


@dataclass(frozen=True, slots=True, order=True)
class Reference:
    """One object by name, in the form of Velero's `ResourceIdentifier`; no API version."""

    group: str
    resource: str
    namespace: str
    name: str

    def __str__(self) -> str:
        """`virtualmachines.kubevirt.io shop/db`."""
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        return (
            f"{resource} {self.namespace}/{self.name}"
            if self.namespace
            else f"{resource} {self.name}"
        )
