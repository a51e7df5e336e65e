"""go-plugin's and Velero's protocol: handshake, server, codec and log. Knows no KubeVirt."""
