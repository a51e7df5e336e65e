"""Item-block actions: a block per virtual machine, with all snapshots in one frozen window.

Velero runs the freeze hook of a pod, then backs up every item of the block, then thaws (v1.15 and
newer). Velero calls the action for each item that joins, so each action names only its neighbours:

    attachment pod → launcher pod → instance → machine → disks and state of the machine
                                      ├── launcher pod, attachment pods
                                      └── disks of the instance, hot-plugged ones too
    DataVolume → its claim → (Velero's own action) pods that use the claim

A disk is its claim and its DataVolume: in a block of its own the latter could bring the claim
there, and its snapshot outside of the freeze. Items that need no freeze stay out: they would
prolong the freeze.
"""
