"""Reading the cluster: a client for the Kubernetes API, and the memory of its answers."""
