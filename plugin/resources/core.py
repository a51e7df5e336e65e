"""Resources of Kubernetes itself of which only the name matters here."""

from plugin.model.reference import Resource

CONFIG_MAP = Resource("", "v1", "configmaps", "ConfigMap")
SECRET = Resource("", "v1", "secrets", "Secret")
SERVICE_ACCOUNT = Resource("", "v1", "serviceaccounts", "ServiceAccount")
CONTROLLER_REVISION = Resource("apps", "v1", "controllerrevisions", "ControllerRevision")
NAMESPACE = Resource("", "v1", "namespaces", "Namespace")
