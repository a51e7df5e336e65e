"""Item-block actions: one block per virtual machine, which is cut inside one freeze.

Velero runs the freeze hook of a pod, then backs up every item of the block, then thaws (v1.15 and
newer). It asks about each item that joins, so each action names only its neighbours:

    attachment pod → launcher pod → instance → machine → disks and state of the machine
                                      ├── launcher pod, attachment pods
                                      └── disks of the instance, hot-plugged ones too
    DataVolume → its claim → (Velero's own action) pods that use the claim

A disk is its claim and its DataVolume: in a block of its own the latter could bring the claim to
be cut there. What else needs no freeze stays out: it would only make the freeze longer.
"""
