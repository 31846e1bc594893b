"""Suites that a store can be put through, under pytest: a few lines run them on one of your own."""

from milepost.testing.conformance.handles import BackDoor, Handles, Opener
from milepost.testing.conformance.runs import RunConformance, in_folder, shared
from milepost.testing.conformance.suite import StoreConformance

__all__ = ["BackDoor", "Handles", "Opener", "RunConformance", "StoreConformance", "in_folder", "shared"]
