"""Item-block actions: one block per virtual machine, which is cut inside one freeze.

Velero runs the freeze hook of a pod, then backs up every item of the block, then thaws (v1.15 and
newer). It asks about each item that joins, so each action names only its neighbours:

    attachment pod → launcher pod → instance → machine → disks and state of the machine
                                      ├── launcher pod, attachment pods
                                      └── disks of the instance, hot-plugged ones too

What needs no freeze stays out: it would only make the freeze longer.
"""
