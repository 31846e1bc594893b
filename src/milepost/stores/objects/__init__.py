"""Stores in object storage: S3, Google Cloud Storage and Azure, through obstore."""

from milepost.stores.objects.opening import open_objects

__all__ = ["open_objects"]
