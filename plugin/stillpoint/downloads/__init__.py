"""Files of backups, from their object store, by the way of the velero command.

Velero gives whoever may create a DownloadRequest a signed URL, and the file comes from the object
store itself. That server is trusted with nothing: neither with what it says of a file's length, nor
with the file.
"""
