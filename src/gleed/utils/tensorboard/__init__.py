"""Files for TensorBoard: `SummaryWriter`, and what writes them.

protobuf   messages as bytes
records    record files, with their checksums
summaries  what TensorBoard shows
writer     event files
"""

from __future__ import annotations

from gleed.utils.tensorboard.writer import EventFile, SummaryWriter

__all__ = ["EventFile", "SummaryWriter"]
