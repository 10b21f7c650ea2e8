"""Reads env files with docker-compose 1.x itself: `compose_v1.py FILE...` prints a JSON list, one entry a file.

An entry is null where compose refuses the file, else an object: null for a value from the caller's environment.
"""

import json
import logging
import sys

from compose.config.config import resolve_env_var
from compose.config.environment import env_vars_from_file

logging.disable(logging.CRITICAL)


def read(path):
    try:
        variables = env_vars_from_file(path)
    except Exception:
        return None
    return dict(resolve_env_var(name, value, {}) for name, value in variables.items())


json.dump([read(path) for path in sys.argv[1:]], sys.stdout)
