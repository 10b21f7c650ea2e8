"""Reads projects with docker-compose 1.x itself: `compose_v1_projects.py FOLDER...` prints a JSON list, one entry a project.

An entry is null where compose refuses the project, else the environment of each service that is started without a profile.
"""

import json
import logging
import sys

from compose.config import config
from compose.config.environment import Environment

logging.disable(logging.CRITICAL)


def read(folder):
    try:
        environment = Environment.from_env_file(folder)
        files = environment.get("COMPOSE_FILE")
        names = files.split(environment.get("COMPOSE_PATH_SEPARATOR", ":")) if files else None
        loaded = config.load(config.find(folder, names, environment))
    except Exception:
        return None
    wanted = (environment.get("COMPOSE_PROFILES") or "").split(",")
    services = [own for own in loaded.services if not own.get("profiles") or set(own["profiles"]) & set(wanted)]
    return {own["name"]: own.get("environment") or {} for own in services}


json.dump([read(folder) for folder in sys.argv[1:]], sys.stdout)
