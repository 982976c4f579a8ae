"""Decisions that are proposed, approved, released and recorded, over HTTP and on the command line.

``Service`` does the work; ``http`` and ``mercato service`` are two thin ways to it.
"""
