"""What is done with each item: the folder is Velero's kind of action, the file is the resource."""
