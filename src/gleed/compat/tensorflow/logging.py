"""`tf.logging`: Python's logger "tensorflow"."""

from __future__ import annotations

from logging import DEBUG as DEBUG
from logging import ERROR as ERROR
from logging import FATAL as FATAL
from logging import INFO as INFO
from logging import WARN as WARN
from logging import getLogger

_LOGGER = getLogger("tensorflow")
debug, info, warn, error, fatal = (
    *(_LOGGER.debug, _LOGGER.info, _LOGGER.warning, _LOGGER.error, _LOGGER.critical),
)
warning = warn
set_verbosity, get_verbosity = _LOGGER.setLevel, _LOGGER.getEffectiveLevel
