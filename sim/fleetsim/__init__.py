"""The fleet: simulated devices and sensors, in the order a reading is made."""

import os

# Ray would otherwise copy the working folder and start every worker through uv.
os.environ.setdefault("RAY_ENABLE_UV_RUN_RUNTIME_ENV", "0")
