"""Every reason that a verdict can have: one row each.

Codes are stable: scripts and monitoring go by them (docs/rehearse.md). Sentences and remedies may
change. `{about}` stands for the subjects of the fact, `{namespace}` and `{name}` for the machine.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from stillpoint.model.level import Level
from stillpoint.model.weight import Weight
from stillpoint.rehearsal.verdict import contents, data, disks, guest, remedies, server, window
from stillpoint.rehearsal.verdict.case import Case

Fact = Callable[[Case], Iterable[str]]


@dataclass(frozen=True, slots=True)
class Statement:
    """The part of a reason that `make docs` writes into docs/rehearse.md.

    Attributes:
        level: the best level where the reason holds; None if the reason does not limit the level.
    """

    code: str
    weight: Weight
    sentence: str
    level: Level | None = field(default=None, kw_only=True)


@dataclass(frozen=True, slots=True)
class Reason(Statement):
    """A reason for a verdict.

    Attributes:
        remedy: a text; a function of the case where the remedy depends on the place of the cause.
    """

    remedy: str | Callable[[Case], str]
    fact: Fact


_B, _D, _U, _N = Weight.BLOCKS, Weight.DEGRADES, Weight.UNCERTAIN, Weight.NOTE

# fmt: off
REASONS: tuple[Reason, ...] = (
    Reason("velero-refuses-policy", _B,
           "Velero {about} refuses the backup, because a volume policy has a custom action",
           remedies.of_refused_policy, server.refuses_policy),
    Reason("item-failed", _B,
           "the backup or the restore of an item would fail: {about}",
           "see the message", contents.errors),
    Reason("disk-missing", _B,
           "it names disks that do not exist: {about}",
           "oc get pvc -n {namespace}; restore the claims, or take the volumes out of the machine",
           disks.missing),
    Reason("disk-left-out", _B,
           "disks are outside of the backup, their data would be lost: {about}",
           "take persistentvolumeclaims into the backup, and its exclusion label off: "
           "oc label pvc -n {namespace} {first} velero.io/exclude-from-backup-", disks.exclusions),
    Reason("disk-being-deleted", _B,
           "disks are being deleted, Velero passes over them: {about}",
           "oc describe pvc -n {namespace} {first}", disks.being_deleted),
    Reason("disk-not-bound", _B,
           "disks have no volume yet, Velero refuses their claims: {about}",
           "oc describe pvc -n {namespace} {first}; start the machine once where the storage waits "
           "for its first consumer", disks.not_bound),
    Reason("disk-not-populated", _B,
           "these disks are not populated yet, and nothing would populate them after a restore: "
           "{about}",
           "oc wait dv -n {namespace} {first} --for=condition=Ready --timeout=30m",
           disks.not_populated),
    Reason("disk-without-way-back", _B,
           "their files are copied through pods that no restore brings back, so nobody puts them "
           "back: {about}",
           "save the disks as snapshots: set defaultVolumesToFsBackup: false in the Backup, take "
           "backup.velero.io/backup-volumes off the pod, and fs-backup out of the volume policies",
           data.without_way_back),
    Reason("disk-not-restored", _B,
           "the Restore does not bring the data of these disks: {about}",
           "set restorePVs: true, and let the Restore take persistentvolumeclaims, "
           "persistentvolumes, volumesnapshots and datauploads", data.not_restored),
    Reason("disk-stays", _B,
           "they exist in the target: their objects are updated, their data stays as it is there: "
           "{about}",
           "delete the machine with its disks first, restore beside it (stillpoint.dev/rename), or "
           "into another namespace", data.stays_as_it_is),
    Reason("snapshot-goes-with-volume", _B,
           "their snapshots are part of the volume and gone with it: {about}",
           "set snapshotMoveData: true in the Backup, or label another VolumeSnapshotClass of the "
           "driver: with Longhorn type: bak", data.snapshots_in_volume),
    Reason("disk-without-csi", _B,
           "no CSI driver serves these disks, so nothing can take a snapshot: {about}",
           "move the disk to a StorageClass of a CSI driver that makes snapshots: "
           "virtctl migrate-storage or a DataVolume with a pvc source", disks.not_csi),
    Reason("no-storage-class", _B,
           "Velero needs the StorageClass of a claim and finds none: {about}",
           "oc get storageclass; create the class that the claim names", disks.no_storage_class),
    Reason("no-snapshot-class", _B,
           "the driver of these disks has no VolumeSnapshotClass: {about}",
           "create a VolumeSnapshotClass for the driver, with the label "
           'velero.io/csi-volumesnapshot-class: "true"', disks.no_snapshot_class),
    Reason("snapshot-class-not-chosen", _B,
           "their driver has several VolumeSnapshotClasses and none is marked: {about}",
           "oc get volumesnapshotclass; "
           "oc label volumesnapshotclass CLASS velero.io/csi-volumesnapshot-class=true",
           disks.snapshot_class_not_chosen),
    Reason("disk-copied-as-files", _B,
           "a file-system backup would copy these disks while the guest writes: {about}",
           "set defaultVolumesToFsBackup: false in the Backup; take "
           "backup.velero.io/backup-volumes off the pod", disks.file_copies),
    Reason("disk-skipped", _B,
           "a volume policy of the backup skips these disks: {about}",
           "take the skip action that matches them out of the ConfigMap of spec.resourcePolicy",
           disks.policy_skips),
    Reason("disk-not-cut", _B,
           "the backup takes no data of disks (snapshotVolumes: false): {about}",
           "set snapshotVolumes: true, or label the Backup velero.kubevirt.io/metadataBackup=true "
           "if that is what you want", disks.without_snapshots),
    Reason("volume-not-covered", _B,
           "no snapshot covers these volumes, they live on a node: {about}",
           "move the data to a PersistentVolumeClaim", disks.unsaved_volumes),
    Reason("outside-the-backup", _B,
           "it needs what the backup would not hold: {about}",
           "include it, or make sure that it is there before a restore", contents.outside),
    Reason("not-created", _B,
           "a restore would not create the machine: {about}",
           "see the conditions of the Restore", contents.not_created),
    Reason("exists-in-target", _B,
           "the target has it already, Velero would leave it as it is: {about}",
           "restore into another namespace (namespaceMapping) or delete what is there",
           contents.conflicts),
    Reason("disk-waits-for-consumer", _D,
           "a data mover brings nothing before a pod uses these disks, and none is started: "
           "{about}",
           "start it while the restore goes on: virtctl start {name} -n {namespace}; or set "
           "restorePVC.ignoreDelayBinding: true in the configuration of Velero's node agent",
           data.waits_for_consumer),
    Reason("metadata-only", _D,
           "no snapshot is taken, as the label velero.kubevirt.io/metadataBackup of the Backup "
           "asks: it comes back with its data only onto claims that are there",
           "", disks.metadata_only),
    Reason("second-backup", _D,
           "another backup goes on and may thaw the guest too early: {about}",
           "oc wait backups.velero.io -n velero {first} --for=jsonpath={{.status.phase}}=Completed",
           contents.second_backup),
    Reason("frozen-now", _D,
           "the guest is frozen at this moment: a backup or a snapshot goes on",
           "wait until it has ended: oc get vmi -n {namespace} {name} "
           "-o jsonpath='{{.status.fsFreezeStatus}}'", guest.frozen_now),
    Reason("disk-outside-block", _D,
           "snapshots of disks are taken outside of the freeze of the others: {about}",
           "back up the whole machine: select its namespace, or the machine by its label",
           guest.outside_block, level=Level.MIXED),
    Reason("migrating", _D,
           "a live migration goes on, KubeVirt refuses to freeze meanwhile",
           "oc get vmim -n {namespace}; back up when it has ended", guest.migrating,
           level=Level.CRASH),
    Reason("starting", _D,
           "the guest is starting, nothing in it answers yet",
           "oc wait vmi -n {namespace} {name} --for=condition=AgentConnected --timeout=10m",
           guest.starting, level=Level.CRASH),
    Reason("paused", _D,
           "the guest is paused: what it holds in memory is not on its disks",
           "virtctl unpause vm {name} -n {namespace}", guest.paused, level=Level.PAUSED),
    Reason("hooks-off", _D,
           "the freeze hooks are switched off (kubevirt.io/skip-backup-hooks), nothing freezes it",
           remedies.of_hooks_off, guest.hooks_off, level=Level.CRASH),
    Reason("hooks-absent", _D,
           "its launcher pod has no freeze hook in this backup, nothing freezes it",
           "take pods into the backup; a launcher pod gets the hook when it starts: "
           "virtctl migrate {name} -n {namespace}", guest.hooks_absent, level=Level.CRASH),
    Reason("agent-not-connected", _D,
           "the guest agent does not answer, nothing freezes it",
           "in the guest: dnf install -y qemu-guest-agent && "
           "systemctl enable --now qemu-guest-agent", guest.agent_not_connected, level=Level.CRASH),
    Reason("agent-lacks-commands", _D,
           "the guest agent lacks commands that KubeVirt needs, freezing may be one of them",
           "in the guest: allow guest-fsfreeze-* (BLOCK_RPCS in /etc/sysconfig/qemu-ga), then "
           "systemctl restart qemu-guest-agent", guest.agent_lacks_commands, level=Level.CRASH),
    Reason("freeze-too-long", _D,
           "snapshots of its disks take {about} or more, the guest thaws by itself after 300 s",
           remedies.of_long_freeze, window.too_long, level=Level.MIXED),
    Reason("freeze-too-long-for-vss", _D,
           "snapshots of its disks take {about} or more, Windows holds writers for 10 s only",
           remedies.of_long_freeze, window.too_long_for_vss, level=Level.MIXED),
    Reason("disk-taken-apart", _D,
           "volume policies leave these disks to others, who take them at another moment than the "
           "plugin takes the rest of the machine: {about}",
           "leave all disks of the machine to the plugin: docs/snapshots.md", window.taken_apart,
           level=Level.MIXED),
    Reason("disk-left-to-velero", _D,
           "Velero takes the snapshots of these disks, and the guest stays frozen until the last: "
           "{about}",
           remedies.of_velero_snapshots, window.left_to_velero),
    Reason("disk-being-filled", _D,
           "CDI is populating these disks: nothing of them is saved, a restore populates them "
           "again, and Velero fails on claims without a volume: {about}",
           "oc wait dv -n {namespace} {first} --for=condition=Ready --timeout=30m, then back up; "
           "or let a volume policy of the Backup skip claims by pvcPhase: [Pending] (Velero 1.18)",
           disks.being_filled),
    Reason("made-by-another", _D,
           "{about} made it: a restore drops that, and it may make another in its place",
           "see that it is at rest where you restore, or restore with it stopped",
           contents.other_maker),
    Reason("disk-not-in-spec", _D,
           "hot-plugged disks are saved, but a restored machine would not use them: {about}",
           "virtctl addvolume {name} -n {namespace} --volume-name={first} --persist",
           disks.not_lasting),
    Reason("several-snapshot-classes", _D,
           "their driver has several labelled VolumeSnapshotClasses, the first would be taken: "
           "{about}",
           "leave the label velero.io/csi-volumesnapshot-class on one of them",
           disks.several_snapshot_classes),
    Reason("state-unknown", _U,
           "nothing says whether the guest runs",
           "rehearse the live cluster, or dump machines, instances and pods with their status",
           guest.state_unknown, level=Level.UNKNOWN),
    Reason("disk-unknown", _U,
           "what decides about these disks is not known: {about}",
           "rehearse with rights to list it, or dump it too: "
           "oc get pvc,pv,storageclass,volumesnapshotclass -A -o yaml", disks.unknown),
    Reason("disk-saved-by-others", _U,
           "a volume policy leaves these disks to an action that is not Velero's own: {about}",
           "make sure that this action saves them while the guest is frozen",
           disks.custom_actions),
    Reason("plugin-absent", _U,
           "the backup leaves these disks to the plugin, and no init container of Velero is named "
           "after stillpoint: {about}",
           "velero plugin add IMAGE, or customPlugins of the DataProtectionApplication "
           "(docs/install); without the plugin nobody takes the disks", server.plugin_absent),
    Reason("plugin-older", _U,
           "the backup leaves disks to the plugin, and that in Velero is older than this command: "
           "{about}",
           "put the image of this version into Velero: an older plugin may leave the disks to "
           "others", server.plugin_older),
    Reason("policy-unknown", _U,
           "resource policies of the backup were not read: {about}",
           "oc get configmap -n velero {first} -o yaml; rehearse with the right to read it",
           disks.unknown_policies),
    Reason("contents-unknown", _U,
           "it needs objects of a kind that is not known here: {about}",
           "rehearse with rights to list it, or dump it too", contents.outside_unknown),
    Reason("data-in-storage", _N,
           "snapshots of these disks stay in the storage of this cluster, and are lost with it: "
           "{about}",
           "set snapshotMoveData: true in the Backup where they are to outlive it",
           data.snapshots_in_storage),
    Reason("plugin-unknown", _N,
           "the backup leaves these disks to the plugin, and what plugins Velero has is not known: "
           "{about}",
           "stillpoint check; or rehearse with the right to get deployments in Velero's namespace",
           server.plugin_unknown),
    Reason("frozen-window", _N,
           "the guest is frozen for {about}",
           "who takes the snapshots is a choice: docs/snapshots.md", window.length),
    Reason("guest-hooks-unknown", _N,
           "no object of a cluster shows whether hooks in the guest quiesce its applications",
           "in the guest: stillpoint-guest check", guest.hooks_of_guest_unknown),
    Reason("persistent-state", _N,
           "it has persistent vTPM or EFI state: it cannot come back under another name",
           "", contents.persistent_vtpm_or_efi),
    Reason("taken-back-by-pool", _N,
           "a restore creates its pool {about} paused and lets it go when its machines are back",
           "", contents.stored_pools),
    Reason("without-its-pool", _N,
           "its pool {about} is outside of the backup: it comes back as a machine of its own",
           "", contents.without_pool),
    Reason("starts-after-files", _N,
           "it comes back halted, and starts when Velero has put back the files of these disks: "
           "{about}",
           "oc get podvolumerestores.velero.io -n VELERO tells how far that is",
           data.files_to_come),
    Reason("needed-at-target", _N,
           "not in the backup by its nature, must be there before a restore: {about}",
           "", contents.elsewhere),
    Reason("snapshot-gate-off", _N,
           "KubeVirt's feature gate Snapshot is off: no VirtualMachineSnapshots, Velero can do "
           "without",
           remedies.of_snapshot_gate, contents.snapshot_gate_off),
)
# fmt: on

UNREADABLE = Statement("unreadable", _B, "it cannot be read: {about}", level=Level.UNKNOWN)
"""Of a machine that is not what the Kubernetes API makes, so that no fact can be found."""
