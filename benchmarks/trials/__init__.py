"""True markets that go on after their history, at prices that somebody decides."""
