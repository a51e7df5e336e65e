"""Evidence: the consistency that each disk of a backup really reached, and how that is known.

    document.py      what is kept in the backup: one document for each disk
    sealed.py        documents as annotations, under the seal of their backup
    console.py       lines that the guest wrote to its serial console
    observations.py  what was seen of one guest in one backup
    rules.py         the table of rules: from observations to levels with their proofs

Pure: what observes a cluster is in `actions`, what reads a backup in `report`.
"""
