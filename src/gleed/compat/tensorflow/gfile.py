"""`tf.gfile`: files, under TensorFlow's names of Python's functions."""

from __future__ import annotations

import glob
import os
import shutil
from typing import Any

from gleed.compat.tensorflow.absent import missing

Exists, IsDirectory, ListDirectory = os.path.exists, os.path.isdir, os.listdir
MkDir, Remove, Rename, Copy = os.mkdir, os.remove, os.replace, shutil.copyfile
DeleteRecursively, Glob, Open = shutil.rmtree, glob.glob, open
GFile = FastGFile = open


def MakeDirs(dirname: str) -> None:
    """Make a folder and those around it, unless they are there."""
    os.makedirs(dirname, exist_ok=True)


def __getattr__(name: str) -> Any:
    raise missing("tf.gfile", name, globals())
