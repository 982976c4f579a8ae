"""Price tests: designed, read, and what released decisions earned."""
