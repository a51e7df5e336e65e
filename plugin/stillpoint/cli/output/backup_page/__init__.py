"""The report on a backup as one page of HTML that needs nothing from outside."""
