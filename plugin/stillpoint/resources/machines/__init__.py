"""Virtual machines, their instances and pods, and the KubeVirt that runs them."""
