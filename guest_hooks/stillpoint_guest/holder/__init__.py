"""The process that lives from freeze to thaw, and what it does with applications."""
