"""Objects of which an installation of Velero, OADP and KubeVirt is made."""
