"""`stillpoint verify` in the cluster: a Job for a backup, or a CronJob for those of a Schedule."""

from collections.abc import Sequence
from dataclasses import dataclass
from textwrap import indent

from stillpoint.rendering import verify_fence, verify_rights
from stillpoint.rendering.text import flow, scalar

GRACE_S = 300
"""From SIGTERM to the end of the pod, in which the command deletes what it has made."""

_LONGEST_S = 24 * 3600


@dataclass(frozen=True, slots=True)
class Answers:
    """The choices for verifications in the cluster.

    Attributes:
        namespace: of Velero.
        name: of the Job or CronJob.
        image: of stillpoint.
        backup: for a Job; empty for a CronJob.
        schedule: of Velero, whose newest backup is verified; empty for a Job.
        cron: when; of a CronJob.
        options: of `stillpoint verify`; names of machines may be among them.
        is_privileged: its namespaces may admit privileged pods.
    """

    namespace: str
    name: str
    image: str
    account: str = verify_rights.NAME
    backup: str = ""
    schedule: str = ""
    cron: str = ""
    options: Sequence[str] = ()
    is_privileged: bool = False

    @property
    def arguments(self) -> list[str]:
        """The command line of the container, whose image is the command."""
        what = f"--schedule={self.schedule}" if self.schedule else self.backup
        return ["verify", f"--namespace={self.namespace}", "--yes", what, *self.options]


def manifest(answers: Answers) -> str:
    """The account with its rights, and what runs as it."""
    is_privileged = answers.is_privileged
    parts = [rights(answers.namespace, answers.account, is_privileged=is_privileged)]
    parts.append(_cron_job(answers) if answers.schedule else _job(answers))
    return "---\n".join(parts)


def rights(
    namespace: str, account: str = verify_rights.NAME, *, is_privileged: bool = False
) -> str:
    """The account alone, with its rights and, before them, their fence."""
    fence = verify_fence.manifest(namespace, account, is_privileged=is_privileged)
    return f"{verify_rights.HEAD}{fence}---\n{verify_rights.manifest(namespace, account)}"


def _job(answers: Answers) -> str:
    return f"""\
# Once. A Job cannot be changed: delete it before the next one, or give that one another --name.
{_head("Job", answers)}\
spec:
  # its pod and its log are kept for a week
  ttlSecondsAfterFinished: {7 * 24 * 3600}
{indent(_run(answers), "  ")}"""


def _cron_job(answers: Answers) -> str:
    return f"""\
{_head("CronJob", answers)}\
spec:
  # when the backups have ended; in the time zone of the control plane, UTC as a rule
  schedule: {scalar(answers.cron)}
  # two runs would not meet, but take twice the room
  concurrencyPolicy: Forbid
  # one that was missed is left to the next after an hour
  startingDeadlineSeconds: 3600
  successfulJobsHistoryLimit: 3
  failedJobsHistoryLimit: 7
  jobTemplate:
    spec:
{indent(_run(answers), "      ")}"""


def _head(kind: str, answers: Answers) -> str:
    return f"""\
apiVersion: batch/v1
kind: {kind}
metadata:
  name: {scalar(answers.name)}
  namespace: {scalar(answers.namespace)}
"""


def _run(answers: Answers) -> str:
    """The specification of a Job."""
    return f"""\
# never again by itself: a backup that is contradicted once is not better the second time. Only a
# pod that its node was taken from is replaced
backoffLimit: 0
podFailurePolicy:
  rules:
    - action: Ignore
      onPodConditions:
        - type: DisruptionTarget
# each machine has a limit of its own (--timeout); this one is for what hangs, which else would keep
# all later runs away
activeDeadlineSeconds: {_LONGEST_S}
template:
  metadata:
    labels: {{app.kubernetes.io/name: stillpoint-verify}}
  spec:
    serviceAccountName: {scalar(answers.account)}
    restartPolicy: Never
    # at its end, also an early one, it deletes what it has restored
    terminationGracePeriodSeconds: {GRACE_S}
    securityContext:
      runAsNonRoot: true
      seccompProfile: {{type: RuntimeDefault}}
    containers:
      - name: verify
        image: {scalar(answers.image)}
        # exit status 1: a machine did not come back as the backup says. The table is in the log,
        # the results are kept in the annotation stillpoint.dev/verified of the Backup
        args: {flow(answers.arguments)}
        resources:
          requests: {{cpu: 100m, memory: 128Mi, ephemeral-storage: 1Gi}}
          limits: {{memory: 1Gi}}
        securityContext:
          allowPrivilegeEscalation: false
          readOnlyRootFilesystem: true
          capabilities: {{drop: [ALL]}}
        volumeMounts:
          # for the files of the backup while they are read: its objects, not its disks
          - {{name: downloads, mountPath: /tmp}}
    volumes:
      - {{name: downloads, emptyDir: {{}}}}
"""
