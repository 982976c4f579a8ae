"""What the trainings of learners at known optima come to."""
