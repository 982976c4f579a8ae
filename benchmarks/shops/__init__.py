"""Shops drawn at random, whose markets are learned from their sales."""
