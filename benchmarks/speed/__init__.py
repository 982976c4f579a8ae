"""How fast the simulator and its learners are, beside what else there is and what the machine allows."""
