"""A real Kubernetes cluster with CSI storage and Velero on this machine, for tests."""
