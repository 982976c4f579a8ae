"""What the tests of the demand model share."""

from small_model import fitted

__all__ = ["fitted"]
