"""Item-block actions: they tell which items share one freeze."""
