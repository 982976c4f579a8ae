"""Studies of a real table, where the truth is unknown: each a function of a panel."""
