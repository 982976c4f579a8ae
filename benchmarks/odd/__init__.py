"""Odd inputs, drawn at random: tables, settings, damaged folders and policies."""
