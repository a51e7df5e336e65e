"""Evidence: the consistency that each disk of a backup really reached, and how that is known.

    document.py      what is kept in the backup: one document for each disk
    sealed.py        documents as annotations, under the seal of their backup
    console.py       lines that the guest wrote to its serial console
    observations.py  what was seen of one guest in one backup, and when its disks were cut
    conclusion.py    makes evidence of observations: the door to the rules
    rules.py         the table of rules
    conditions.py    what a rule asks for, with a sentence for people
    facts.py         whether that is known to hold, by KubeVirt and Velero
    word.py          the same by the guest's own word
    case.py          the part of the observations that matters for a cut
    hold.py          the hold of a backup, and the node's clock, from console lines
    timeline.py      events around the freeze, for people

Pure: what observes a cluster is in `actions`, what reads a backup in `report`.
"""
