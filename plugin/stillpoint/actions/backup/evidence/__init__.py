"""Evidence of the disks of a backup: noted while Velero takes them, concluded when all are taken.

cuts.py      when the snapshot of each disk was cut
blocks.py    disks that Velero takes after the hook of their guest, and members of its groups
demand.py    the level that somebody demands of a machine
machine.py   the operation of each machine, in which its evidence is concluded
facts.py     what is looked up for that
holders.py   the VolumeSnapshots and DataUploads that hold the bytes of the machine's disks
"""
