"""Phases with their dependencies, run and planned as one: `Workflow`. What only running needs loads on use."""

from milepost.workflow.workflow import Workflow

__all__ = ["Workflow"]
