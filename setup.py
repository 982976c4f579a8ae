"""Derives the package list from the folders, so that a new subpackage is never missing from the wheel."""

from setuptools import find_packages, setup

ROOTS = ("forecasters", "envs", "agents", "app")

packages = [
    name for root in ROOTS for name in (f"mercato.{root}", *(f"mercato.{root}.{sub}" for sub in find_packages(root)))
]

setup(packages=packages)
