"""Is an installation of Velero, OADP and KubeVirt ready to back its machines up?"""
