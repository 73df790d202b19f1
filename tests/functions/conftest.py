"""The environment that Lambda has ready before a handler is imported."""

import os

os.environ["POWERTOOLS_SERVICE_NAME"] = "bokit"
