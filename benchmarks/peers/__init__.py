"""What others would use on the same table, given what they need: double machine learning, LightGBM, OLS."""
