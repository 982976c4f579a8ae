"""Derives the package list from the folders, so that a new subpackage is never missing from the wheel."""

from setuptools import find_packages, setup

ROOTS = ("forecasters", "envs", "agents", "app")

packages = ["mercato", *(f"mercato.{root}" for root in ROOTS)]
packages += [f"mercato.{root}.{part}" for root in ROOTS for part in find_packages(root)]

setup(packages=packages)
