"""Tools around training; see `gleed.utils.data`."""

from gleed.utils import data

__all__ = ["data"]
