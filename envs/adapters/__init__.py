"""The simulator behind the interfaces that learners know: Gymnasium's Env and VectorEnv, SB3's VecEnv."""
