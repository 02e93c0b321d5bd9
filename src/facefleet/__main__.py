"""``python -m facefleet``."""

import sys

from facefleet.cli.main import main

sys.exit(main())
