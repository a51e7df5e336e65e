"""Velero's server and node agents, as `velero install` makes them: see `velero`.

Source: pkg/install/deployment.go and daemonset.go of Velero v1.18.
"""

import json

from stillpoint.rendering.location import about_moving
from stillpoint.rendering.text import fields, scalar
from stillpoint.rendering.velero_answers import Answers

_NODE_AGENT_SETTINGS = "node-agent-config"

_LINUX = """\
      affinity:
        nodeAffinity:
          requiredDuringSchedulingIgnoredDuringExecution:
            nodeSelectorTerms:
              - matchExpressions:
                  - {key: kubernetes.io/os, operator: NotIn, values: [windows]}"""


def server(answers: Answers) -> str:
    """The Deployment."""
    moves = str(answers.moves_data).lower()
    return f"""\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: velero
{answers.place}
spec:
  selector:
    matchLabels: {{deploy: velero}}
  template:
    metadata:
      labels: {{component: velero, deploy: velero}}
      annotations:
        prometheus.io/scrape: "true"
        prometheus.io/port: "8085"
        prometheus.io/path: /metrics
    spec:
      serviceAccountName: velero
{_LINUX}
      # each copies its plugin to where Velero looks for plugins; Velero asks them in the order of
      # their own names
      initContainers:
        # speaks to the object store
        - name: velero-plugin-for-{answers.location.plugin}
          image: {answers.image_of_provider}
          volumeMounts:
            - {{name: plugins, mountPath: /target}}
        # instead of kubevirt-velero-plugin, which does the same work
        - name: stillpoint
          image: {scalar(answers.image)}
          volumeMounts:
            - {{name: plugins, mountPath: /target}}
      containers:
        - name: velero
          image: {answers.image_of_velero}
          command: [/velero]
          args:
            - server
            # CSI snapshots; this version still has the switch
            - --features=EnableCSI
            # {about_moving(moves_data=answers.moves_data)}
            - --default-snapshot-move-data={moves}
            - --uploader-type=kopia
          ports:
            - {{name: metrics, containerPort: 8085}}
          env:
            - {{name: VELERO_SCRATCH_DIR, value: /scratch}}
            - {{name: VELERO_NAMESPACE, valueFrom: {{fieldRef: {{fieldPath: metadata.namespace}}}}}}
            - {{name: LD_LIBRARY_PATH, value: /plugins}}
            # looks for a snapshot each second at first, so that a guest is frozen for less time
            - {{name: CSI_SNAPSHOT_EARLY_FREQUENT_POLLING, value: "true"}}
          resources:
            requests: {{cpu: 500m, memory: 128Mi}}
            # twice the memory that Velero gives itself: plugins run in its container
            limits: {{cpu: "1", memory: 1Gi}}
          volumeMounts:
            - {{name: plugins, mountPath: /plugins}}
            - {{name: scratch, mountPath: /scratch}}
      volumes:
        - {{name: plugins, emptyDir: {{}}}}
        - {{name: scratch, emptyDir: {{}}}}
"""


def node_agent_settings(answers: Answers) -> str:
    """The ConfigMap with the configuration of node agents (pkg/types/node_agent.go)."""
    settings: dict[str, object] = {"restorePVC": {"ignoreDelayBinding": True}}
    selected = ""
    if answers.node_selector:
        selector = {"matchLabels": dict(answers.node_selector)}
        settings["loadAffinity"] = [{"nodeSelector": selector}]
        selected = "# loadAffinity: and it is moved where node agents are, whose image it takes.\n"
    return f"""\
# ignoreDelayBinding: data is restored before a machine starts, also where storage waits for the
# first consumer.
{selected}apiVersion: v1
kind: ConfigMap
metadata:
  name: {_NODE_AGENT_SETTINGS}
{answers.place}
data:
  node-agent-config.json: {json.dumps(json.dumps(settings))}
"""


def node_agent(answers: Answers) -> str:
    """The DaemonSet."""
    selector = answers.node_selector
    nodes = f"\n      nodeSelector: {fields(selector)}" if selector else ""
    return f"""\
# Node agents move the data of snapshots. Files of volumes they do not copy: of a running machine's
# disk that would be no copy of one moment.
apiVersion: apps/v1
kind: DaemonSet
metadata:
  name: node-agent
{answers.place}
spec:
  selector:
    matchLabels: {{name: node-agent}}
  template:
    metadata:
      labels: {{component: velero, name: node-agent, role: node-agent}}
    spec:
      serviceAccountName: velero{nodes}
{_LINUX}
      securityContext: {{runAsUser: 0}}
      containers:
        - name: node-agent
          image: {answers.image_of_velero}
          command: [/velero]
          args:
            - node-agent
            - server
            - --features=EnableCSI
            - --node-agent-configmap={_NODE_AGENT_SETTINGS}
          ports:
            - {{name: metrics, containerPort: 8085}}
          env:
            - {{name: NODE_NAME, valueFrom: {{fieldRef: {{fieldPath: spec.nodeName}}}}}}
            - {{name: VELERO_NAMESPACE, valueFrom: {{fieldRef: {{fieldPath: metadata.namespace}}}}}}
            - {{name: VELERO_SCRATCH_DIR, value: /scratch}}
          volumeMounts:
            - {{name: scratch, mountPath: /scratch}}
      volumes:
        - {{name: scratch, emptyDir: {{}}}}
"""
