"""The process that lives from freeze to thaw, and its work on applications."""
