"""Every reason that the verdict on a finished backup's machine can have: one row each.

Those of a rehearsed backup that are about its restore alone are among them. See `reasons`.
"""

from stillpoint.model.weight import Weight
from stillpoint.rehearsal.verdict import arrival, of_backup
from stillpoint.rehearsal.verdict.reasons import REASONS, Reason

_SHARED = (
    "item-failed",
    "not-created",
    "exists-in-target",
    "volume-not-covered",
    "disk-stays",
    "made-by-another",
    "persistent-state",
    "taken-back-by-pool",
    "without-its-pool",
    "starts-after-files",
)
_B, _D, _U = Weight.BLOCKS, Weight.DEGRADES, Weight.UNCERTAIN

# fmt: off
_OWN: tuple[Reason, ...] = (
    Reason("backup-failed", _B,
           "the backup failed as a whole: {about}",
           "restore from another backup; velero backup logs says why it failed",
           of_backup.failed),
    Reason("backup-being-deleted", _B,
           "Velero deletes the backup, and the snapshots of its disks",
           "restore from another backup", of_backup.being_deleted),
    Reason("claim-missing", _B,
           "neither the backup nor the target has the claims of these disks: {about}",
           "restore from another backup; stillpoint rehearse -n {namespace} says why the next one "
           "would leave them out", arrival.missing_disks),
    Reason("data-not-restored", _B,
           "the restore would not bring the data of these disks: {about}",
           "restore from another backup, or onto the volumes that have the data", arrival.losses),
    Reason("disk-without-data", _B,
           "the backup holds no data of these disks: {about}",
           "restore from another backup; stillpoint rehearse -n {namespace} --explain {name} says "
           "why the next one would not have it", arrival.without_data),
    Reason("disk-skipped", _B,
           "Velero skipped the data of these disks: {about}",
           "restore from another backup; if a policy is to leave them out, take their volumes out "
           "of the machine", arrival.skipped),
    Reason("snapshot-missing", _B,
           "the backup does not hold the snapshots that these disks come back from: {about}",
           "restore from another backup", of_backup.snapshots_missing),
    Reason("snapshot-without-handle", _B,
           "the backup does not say where the storage has the snapshots of these disks: {about}",
           "restore from another backup", of_backup.without_handle),
    Reason("snapshot-failed", _B,
           "the snapshots of these disks failed: {about}",
           "restore from another backup", of_backup.snapshots_failed),
    Reason("upload-missing", _B,
           "the data of these disks is to have been moved, and no DataUpload says that it was: "
           "{about}",
           "restore from another backup", of_backup.uploads_missing),
    Reason("upload-not-completed", _B,
           "the data of these disks was not moved wholly: {about}",
           "restore from another backup", of_backup.uploads_not_completed),
    Reason("uploads-of-one-claim", _B,
           "the backup holds several DataUploads of these disks, of which Velero restores none: "
           "{about}",
           "restore from another backup, without DataUploads of others: one that leaves out "
           "Velero's own namespace", of_backup.uploads_of_one_claim),
    Reason("files-not-completed", _B,
           "the files of these disks were not copied wholly: {about}",
           "restore from another backup", of_backup.files_not_completed),
    Reason("disk-without-way-back", _B,
           "the files of these disks were copied through the machine's own pod, which no restore "
           "brings back, so nobody puts them back: {about}",
           "restore from another backup, which saves the disks as snapshots",
           of_backup.without_way_back),
    Reason("driver-not-there", _B,
           "the target has no CSI driver that could read the snapshots of these disks: {about}",
           "restore where the storage is, or from a backup with snapshotMoveData: true",
           arrival.missing_drivers),
    Reason("storage-class-not-there", _B,
           "the target lacks the StorageClasses of its disks: {about}",
           "create them there, or map them: ConfigMap with the label "
           "velero.io/change-storage-class in Velero's namespace", arrival.missing_classes),
    Reason("network-not-there", _B,
           "the target lacks networks that it is connected to: {about}",
           "create the NetworkAttachmentDefinitions there", arrival.missing_networks),
    Reason("needs-not-there", _B,
           "neither the backup nor the target has what it needs: {about}",
           "create it there", arrival.missing_others),
    Reason("api-not-there", _B,
           "the target does not serve the API of its objects: {about}",
           "install KubeVirt, CDI, the snapshot controller or whatever else serves it there",
           arrival.unserved),
    Reason("api-of-other-version", _B,
           "the target does not serve its objects in the version that the backup has: {about}",
           "restore where it does: oc api-versions", arrival.other_versions),
    Reason("quota-too-small", _B,
           "the namespace has no room for all that would be restored into it: {about}",
           "raise the quota, or restore fewer machines (stillpoint.dev/only)", arrival.quotas),
    Reason("outside-limit-range", _B,
           "the namespace takes no claims of the size of these disks: {about}",
           "change the LimitRange, or restore into another namespace", arrival.limits),
    Reason("pod-outside-limit-range", _B,
           "the namespace takes no pods as KubeVirt would start for it: {about}",
           "change the LimitRange, or restore into another namespace", arrival.limits_of_pods),
    Reason("instancetype-not-there", _D,
           "the target lacks the instancetype or preference that it names: {about}",
           "create it there: with the revision in the backup it starts, and nobody can resize it",
           arrival.missing_instancetypes),
    Reason("backup-expired", _U,
           "the backup has expired: Velero deletes it, and the snapshots of its disks, at any "
           "moment",
           "restore from another backup, or before it is deleted", of_backup.expired),
    Reason("backup-goes-on", _U,
           "the backup has not ended: {about}",
           "wait until it has: velero backup get", of_backup.going_on),
    Reason("data-not-known", _U,
           "nothing here says whether and how the data of these disks was stored: {about}",
           "rehearse the backup by its name, or its folder in the object store: "
           "NAME-volumeinfo.json.gz says it", arrival.of_unknown_method),
    Reason("disk-on-its-volume", _U,
           "the restore brings no data of these disks: it makes them on the volumes that they had, "
           "with what is on them now, if the storage of the target has them: {about}",
           "oc get pv; restore from another backup if the volumes are not there",
           arrival.on_their_volumes),
    Reason("upload-of-another-backup", _U,
           "the DataUploads of these disks are those of another Backup: {about}",
           "restore from another backup, without DataUploads of others: one that leaves out "
           "Velero's own namespace", of_backup.uploads_of_others),
    Reason("operation-failed", _U,
           "an operation of Velero for these disks failed: {about}",
           "velero backup describe --details", of_backup.operations_failed),
    Reason("snapshot-not-ready", _U,
           "the storage had not made these snapshots ready when the backup ended: {about}",
           "ask the storage for the snapshot by its handle", of_backup.snapshots_not_ready),
    Reason("snapshot-elsewhere", _U,
           "nothing shows that the storage of the target has the snapshots of these disks: "
           "{about}",
           "it is the same storage, or it is not: look there; a backup with snapshotMoveData: true "
           "does not depend on it", arrival.elsewhere),
    Reason("no-snapshot-class-there", _U,
           "the target has no VolumeSnapshotClass of the driver, with which some drivers read "
           "snapshots: {about}",
           "create one there", arrival.without_class),
    Reason("target-unknown", _U,
           "what the target has of this was not read: {about}",
           "rehearse with rights to list it there, or dump it too", arrival.not_known),
    Reason("no-backup-object", Weight.NOTE,
           "its Backup is neither beside the archive nor in the target: whether it failed, and "
           "when it expires, is not known",
           "oc get backups.velero.io -n VELERO NAME -o json > velero-backup.json, beside the "
           "archive", of_backup.without_object),
)
# fmt: on

ARRIVAL_REASONS = (*(one for one in REASONS if one.code in _SHARED), *_OWN)
