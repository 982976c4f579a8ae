"""Markets that are kept true: updates, their versions, and drift."""
