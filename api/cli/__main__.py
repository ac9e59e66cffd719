"""`python -m api.cli`: the command line without its installed script."""

import sys

from api.cli import main

sys.exit(main())
